#include "base/target_region.h"
#include "kernels/gemm/gemm.h"

namespace pyconv {

#define PYCONV_GEMM_KERNEL(name, isa, mr, nr, efficiency, short_rows) extern const GemmTilesFn name[mr];
#include "kernels/gemm/gemm_kernels.inc"
#undef PYCONV_GEMM_KERNEL

const std::vector<GemmKernel>& gemm_kernels() {
#define PYCONV_GEMM_KERNEL(name, isa, mr, nr, efficiency, short_rows) \
  {{#name, "gemm", Isa::isa, mr, nr, efficiency}, name, short_rows},
  static const std::vector<GemmKernel> rows = {
#include "kernels/gemm/gemm_kernels.inc"
  };
#undef PYCONV_GEMM_KERNEL
  return rows;
}

const std::vector<const KernelInfo*>& gemm_registry() {
  static const std::vector<const KernelInfo*> registry = registry_of(gemm_kernels());
  return registry;
}

}  // namespace pyconv
