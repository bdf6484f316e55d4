#include "base/target_region.h"
#include "kernels/direct/direct.h"

namespace pyconv {

#define PYCONV_DIRECT_KERNEL(name, isa, mr, nr, efficiency, short_rows) extern const DirectTileFn name[mr];
#include "kernels/direct/direct_kernels.inc"
#undef PYCONV_DIRECT_KERNEL

const std::vector<DirectKernel>& direct_kernels() {
#define PYCONV_DIRECT_KERNEL(name, isa, mr, nr, efficiency, short_rows) \
  {{#name, "direct", Isa::isa, mr, nr, efficiency}, name, short_rows},
  static const std::vector<DirectKernel> rows = {
#include "kernels/direct/direct_kernels.inc"
  };
#undef PYCONV_DIRECT_KERNEL
  return rows;
}

const std::vector<const KernelInfo*>& direct_registry() {
  static const std::vector<const KernelInfo*> registry = registry_of(direct_kernels());
  return registry;
}

}  // namespace pyconv
