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

// Many parallel_for calls of one thread, close together: a network's layers. While it lasts the pool is this
// thread's, and workers poll for the next call (for at most a millisecond) instead of going to sleep; when it
// ends they go. Where the pool is another's, calls in the session run on this thread alone, or on the pool once
// it is free. Sessions do not nest; an inner one does nothing.
class ParallelSession {
 public:
  explicit ParallelSession(int threads);
  ~ParallelSession();
  ParallelSession(const ParallelSession&) = delete;
  ParallelSession& operator=(const ParallelSession&) = delete;

 private:
  bool outer_ = false, owns_ = false;
};

// For planning what a session will run: as if one had begun.
class ParallelPlanning {
 public:
  ParallelPlanning();
  ~ParallelPlanning();
  ParallelPlanning(const ParallelPlanning&) = delete;
  ParallelPlanning& operator=(const ParallelPlanning&) = delete;

 private:
  bool before_;
};

// Work that a thread should find for its share to pay, in cycles of one core: a worker that sleeps takes 25 us
// to come and costs the caller 10, one that polls comes at once (docs/decisions/003-thread-pool.md).
double cycles_worth_a_thread();

// Threads that `work` is worth, at most `threads`, where `each` is worth one that has to be woken.
int worthwhile_threads(double work, double each, int threads);

// Runs body(chunk, worker) once for every chunk in [0, chunks), on at most `threads` threads, the
// caller among them, and returns when all are done. `worker` in [0, threads) indexes per-thread
// scratch: no two bodies with the same worker run at once. Each thread begins with a share of neighbouring
// chunks, the caller with the first, and takes from the others' when it is done.
// Runs on the caller alone when threads <= 1, chunks <= 1, the pool is busy with another caller, or
// the caller is itself a worker. `body` does not throw, and runs in the caller's floating-point
// environment. Worth it from about 5 us of work while the workers are awake, 50 us when they sleep.
void parallel_for(std::int64_t chunks, int threads, ChunkBody body);

}  // namespace pyconv
