// The one thread pool (ARCHITECTURE, decision 6).
#pragma once
#include <cstdint>
#include <type_traits>

namespace pyconv {

// A non-owning reference to a callable body(chunk, worker). The callable outlives the call.
class ChunkBody {
 public:
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, ChunkBody>>>
  ChunkBody(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* object, std::int64_t chunk, int worker) {
          (*static_cast<std::remove_reference_t<F>*>(object))(chunk, worker);
        }) {}
  void operator()(std::int64_t chunk, int worker) const { call_(object_, chunk, worker); }

 private:
  void* object_;
  void (*call_)(void*, std::int64_t, int);
};

// CPUs this process may really use: affinity mask, lowered by the cgroup quota (rounded up); >= 1.
int usable_cpus();

// Runs body(chunk, worker) once for every chunk in [0, chunks), on at most `threads` threads, the
// caller among them, and returns when all are done. `worker` in [0, threads) indexes per-thread
// scratch: no two bodies with the same worker run at once. Chunks are handed out dynamically.
// Runs on the caller alone when threads <= 1, chunks <= 1, the pool is busy with another caller, or
// the caller is itself a worker. `body` does not throw, and runs in the caller's floating-point
// environment. Worth it from about 5 us of work while the workers are awake, 50 us when they sleep.
void parallel_for(std::int64_t chunks, int threads, ChunkBody body);

}  // namespace pyconv
