#include "base/affinity.h"

#include <cerrno>

namespace pyconv {

#if defined(__linux__)

int affinity_cpus() {
  // A mask smaller than the kernel's own is refused with EINVAL.
  for (int capacity = CPU_SETSIZE; capacity <= 1 << 20; capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    if (!set) return 0;
    const std::size_t bytes = CPU_ALLOC_SIZE(capacity);
    const int error = sched_getaffinity(0, bytes, set) == 0 ? 0 : errno;
    const int count = error == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (error != EINVAL) return count;
  }
  return 0;
}

void WorkerPlacement::add(std::thread& worker) { workers_.push_back(worker.native_handle()); }

void WorkerPlacement::follow_caller(int helpers) {
  cpu_set_t mask;
  // Beyond 1024 CPUs the workers keep the mask that they inherited.
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) return;
  const int cpu = sched_getcpu();
  if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_COUNT(&mask) > helpers) CPU_CLR(cpu, &mask);
  if (CPU_COUNT(&mask) == 0) return;
  if (placed_ == workers_.size() && CPU_EQUAL(&mask, &mask_)) return;
  for (pthread_t worker : workers_) pthread_setaffinity_np(worker, sizeof(mask), &mask);
  mask_ = mask;
  placed_ = workers_.size();
}

#else

int affinity_cpus() { return 0; }
void WorkerPlacement::add(std::thread&) {}
void WorkerPlacement::follow_caller(int) {}

#endif

}  // namespace pyconv
