// One pool, one job at a time. A worker that finds the job's gate open takes a ticket and has
// thereby entered; the caller closes the gate when no chunk is left and waits for those who
// entered, so a worker that wakes too late delays nobody. Everything that a late worker may touch
// lives in the pool, which is never destroyed; see docs/decisions/003-thread-pool.md.
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <new>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

#include "base/affinity.h"
#include "base/cpu_quota.h"
#include "base/event.h"

namespace pyconv {
namespace {

using Clock = std::chrono::steady_clock;

// Microseconds of polling before a sleep: as long as the wake-up that it may save takes (20-25 us
// on a 2-vCPU Zen 5 guest, 2026-11; benchmarks/thread_pool.cpp measures it again).
constexpr int kWorkerSpinUs = 20;
constexpr int kCallerSpinUs = 20;
constexpr int kSessionSpinUs = 1000;  // of workers while a session lasts
// Zen 5: 45 us of work for a worker that sleeps, 5 us for one that polls.
constexpr double kCyclesAsleep = 200000.0, kCyclesAwake = 20000.0;
constexpr int kWakeFanOut = 2;  // a wake-up costs microseconds: the woken wake the others
constexpr int kMaxWorkers = 1023;
// Less than a time slice: Linux 6.18 gives 1.4 ms on two CPUs and up to 2.8 on more, in whole ticks.
constexpr auto kGiveWayAfter = std::chrono::milliseconds(1);
constexpr auto kRetryCreation = std::chrono::seconds(1);

inline void pause() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_ia32_pause();
#endif
}

template <class Condition>
bool poll(int microseconds, Condition condition) {
  if (condition()) return true;
  if (microseconds == 0) return false;
  const Clock::time_point deadline = Clock::now() + std::chrono::microseconds(microseconds);
  do {
    for (int i = 0; i < 8; ++i) {
      pause();
      if (condition()) return true;
    }
  } while (Clock::now() < deadline);
  return false;
}

#if !defined(_WIN32)
// Threads created in this scope take no asynchronous signals: those belong to the program's own.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
      sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &saved_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_;
};
#else
struct SignalsBlocked {
  SignalsBlocked() {}
};
#endif

class Pool {
 public:
  // Owner only: whether workers wait for the next job by polling.
  void set_session(bool on) { session_.store(on, std::memory_order_relaxed); }

  bool try_acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
  void release() { busy_.store(false, std::memory_order_release); }

  // Owner only.
  void run(std::int64_t chunks, int threads, const ChunkBody& body) noexcept {
    grow(threads - 1);
    const int helpers = std::min(threads - 1, workers_);
    if (helpers == 0) {
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
      return;
    }
    open(chunks, helpers, body);
    drain(body, 0);
    close();
  }

 private:
  // The gate: tickets left in the upper half, workers inside in the lower.
  static constexpr std::uint32_t kTicket = 1u << 16;
  static constexpr std::uint32_t kInside = kTicket - 1;

  void grow(int wanted) noexcept {
    wanted = std::min(wanted, kMaxWorkers);
    if (workers_ >= wanted || Clock::now() < next_creation_) return;
    SignalsBlocked scope;
    const std::uint32_t seen = work_.epoch();
    try {
      while (workers_ < wanted) {
        std::thread worker([this, seen] { serve(seen); });
        ++workers_;
        struct Detach {
          std::thread& thread;
          ~Detach() { thread.detach(); }
        } detach{worker};
        placement_.add(worker);
      }
    } catch (...) {
      next_creation_ = Clock::now() + kRetryCreation;
    }
    const bool oversubscribed = workers_ + 1 > usable_cpus();
    worker_spin_us_.store(oversubscribed ? 0 : kWorkerSpinUs, std::memory_order_relaxed);
    caller_spin_us_ = oversubscribed ? 0 : kCallerSpinUs;
  }

  void open(std::int64_t chunks, int helpers, const ChunkBody& body) {
    body_ = &body;
    std::fegetenv(&fp_env_);
    parts_ = std::min(helpers + 1, kMostParts);
    for (int part = 0; part < parts_; ++part) {
      shares_[part].next.store(chunks * part / parts_, std::memory_order_relaxed);
      shares_[part].end = chunks * (part + 1) / parts_;
    }
    gate_.store(static_cast<std::uint32_t>(helpers) * kTicket, std::memory_order_release);
    work_.advance();
    // Workers awake see the new epoch by themselves.
    const int sleeping = work_.sleepers();
    const int wanted = std::min(sleeping, helpers - (workers_ - sleeping));
    if (wanted <= 0) return;
    placement_.follow_caller(helpers);
    work_.wake(std::min(wanted, kWakeFanOut));
  }

  void close() {
    gate_.fetch_and(kInside, std::memory_order_acq_rel);
    auto empty = [this] { return gate_.load(std::memory_order_acquire) == 0; };
    while (!poll(caller_spin_us_, empty)) {
      const std::uint32_t seen = left_.epoch();
      if (!empty()) left_.wait(seen);
    }
  }

  // The worker's number, or 0 when the gate is closed.
  int enter() {
    std::uint32_t gate = gate_.load(std::memory_order_acquire);
    while (gate >= kTicket) {
      if (gate_.compare_exchange_weak(gate, gate - kTicket + 1, std::memory_order_acq_rel))
        return static_cast<int>(gate / kTicket);
    }
    return 0;
  }

  void leave() {
    if (gate_.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
    left_.advance();
    if (left_.sleepers() > 0) left_.wake(1);
  }

  // A share of neighbouring chunks to each: what one layer's worker wrote the next layer's finds in its own
  // cache. Who is done takes from the others' shares.
  void drain(const ChunkBody& body, int worker) {
    for (int i = 0; i < parts_; ++i) {
      Share& share = shares_[(worker + i) % parts_];
      for (;;) {
        const std::int64_t chunk = share.next.fetch_add(1, std::memory_order_relaxed);
        if (chunk >= share.end) break;
        body(chunk, worker);
      }
    }
  }

  // Polls while a session lasts, and then for as long as a wake-up would take.
  template <class Condition>
  bool wait_awake(const Condition& changed) {
    const int spin = worker_spin_us_.load(std::memory_order_relaxed);
    if (spin > 0 && session_.load(std::memory_order_relaxed)) {
      const Clock::time_point deadline = Clock::now() + std::chrono::microseconds(kSessionSpinUs);
      while (session_.load(std::memory_order_relaxed) && Clock::now() < deadline)
        if (poll(spin, changed)) return true;
    }
    return poll(spin, changed);
  }

  void serve(std::uint32_t seen) noexcept {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), "pyconv");
#endif
    Clock::time_point gave_way{};
    for (;;) {
      auto changed = [this, seen] { return work_.epoch() != seen; };
      while (!wait_awake(changed)) work_.wait(seen);
      seen = work_.epoch();
      const int worker = enter();
      if (worker == 0) continue;
      const int more = static_cast<int>(gate_.load(std::memory_order_relaxed) / kTicket);
      work_.wake(std::min({more, work_.sleepers(), kWakeFanOut}));
      std::fesetenv(&fp_env_);
      drain(*body_, worker);
      leave();
      const Clock::time_point now = Clock::now();
      if (now - gave_way < kGiveWayAfter) continue;
      // Where somebody else wants this CPU too, the kernel would stop the worker when its slice ends, within
      // a chunk, and the caller would wait for that until the next. Here nobody waits for it.
      std::this_thread::yield();
      gave_way = Clock::now();
    }
  }

  // Written by the owner while the gate is closed and nobody is inside.
  alignas(64) const ChunkBody* body_ = nullptr;
  int parts_ = 1;
  std::fenv_t fp_env_;
  // Owner only.
  int workers_ = 0;
  int caller_spin_us_ = 0;
  WorkerPlacement placement_;
  Clock::time_point next_creation_{};

  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };
  static constexpr int kMostParts = 64;
  Share shares_[kMostParts];
  alignas(64) std::atomic<std::uint32_t> gate_{0};
  alignas(64) Event work_;
  std::atomic<int> worker_spin_us_{0};
  std::atomic<bool> session_{false};
  alignas(64) Event left_;
  alignas(64) std::atomic<bool> busy_{false};
};

std::atomic<Pool*> current_pool{nullptr};

// The child of a fork has none of the pool's threads and may have caught it at work.
#if !defined(_WIN32)
void abandon_pool() { current_pool.store(nullptr, std::memory_order_relaxed); }
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, abandon_pool);
#endif

Pool* pool() {
  Pool* found = current_pool.load(std::memory_order_acquire);
  if (found) return found;
  Pool* made = new (std::nothrow) Pool;
  if (current_pool.compare_exchange_strong(found, made, std::memory_order_acq_rel)) return made;
  delete made;
  return found;
}

}  // namespace

int usable_cpus() {
  int cpus = affinity_cpus();
  if (cpus <= 0) cpus = static_cast<int>(std::thread::hardware_concurrency());
  static const int quota = cgroup_cpu_quota();
  if (quota > 0) cpus = std::min(cpus, quota);
  return std::max(cpus, 1);
}

namespace {

thread_local bool awake = false;         // in a session, or planning one
thread_local Pool* session_pool = nullptr;  // the pool that this thread's session holds
thread_local bool sharing = false;          // the session's own call is under way: what it calls runs alone

}  // namespace

ParallelSession::ParallelSession(int threads) {
  if (threads <= 1 || awake) return;
  outer_ = true;
  awake = true;
  Pool* shared = pool();
  if (!shared || !shared->try_acquire()) return;
  owns_ = true;
  session_pool = shared;
  shared->set_session(true);
}

ParallelSession::~ParallelSession() {
  if (owns_) {
    session_pool->set_session(false);
    session_pool->release();
    session_pool = nullptr;
  }
  if (outer_) awake = false;
}

ParallelPlanning::ParallelPlanning() : before_(awake) { awake = true; }
ParallelPlanning::~ParallelPlanning() { awake = before_; }

double cycles_worth_a_thread() { return awake ? kCyclesAwake : kCyclesAsleep; }

int worthwhile_threads(double work, double each, int threads) {
  return static_cast<int>(
      std::min<double>(threads, 1.0 + work / (each * cycles_worth_a_thread() / kCyclesAsleep)));
}

void parallel_for(std::int64_t chunks, int threads, ChunkBody body) {
  threads = static_cast<int>(std::min<std::int64_t>(threads, chunks));
  if (threads > 1 && session_pool && !sharing) {
    sharing = true;
    session_pool->run(chunks, threads, body);
    sharing = false;
    return;
  }
  Pool* shared = threads > 1 ? pool() : nullptr;
  if (!shared || !shared->try_acquire()) {
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
    return;
  }
  shared->run(chunks, threads, body);
  shared->release();
}

}  // namespace pyconv
