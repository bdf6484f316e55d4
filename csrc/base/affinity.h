// Which CPUs the calling thread may use, and keeping the pool's workers on them.
#pragma once
#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>

#include <vector>
#endif

namespace pyconv {

// CPUs in the calling thread's affinity mask; 0 where that can't be told.
int affinity_cpus();

// Holds the workers to the affinity mask of whoever calls, less the CPU that the caller is on while
// at least `helpers` others remain. A kernel that places a woken thread looks for an idle CPU, but
// in a virtual machine a halted CPU counts as preempted, not as idle: left to itself it puts the
// worker behind the caller, for milliseconds (docs/decisions/003-thread-pool.md).
class WorkerPlacement {
 public:
  // The worker must never end. Throws as std::vector does.
  void add(std::thread& worker);
  void follow_caller(int helpers);

#if defined(__linux__)
 private:
  std::vector<pthread_t> workers_;
  std::size_t placed_ = 0;  // how many of workers_ have mask_
  cpu_set_t mask_;
#endif
};

}  // namespace pyconv
