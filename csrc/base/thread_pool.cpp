#include "base/thread_pool.h"

namespace pyconv {
int usable_cpus() { return 1; }
void parallel_for(std::int64_t chunks, int, ChunkBody body) {
  for (std::int64_t i = 0; i < chunks; ++i) body(i, 0);
}
}  // namespace pyconv
