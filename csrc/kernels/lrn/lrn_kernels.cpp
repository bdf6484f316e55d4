#include "base/target_region.h"
#include "kernels/lrn/lrn.h"

namespace pyconv {

#define PYCONV_LRN_KERNEL(isa, lanes) \
  namespace isa {                     \
  extern const LrnFn lrn_f32; \
  }
#include "kernels/lrn/lrn_kernels.inc"
#undef PYCONV_LRN_KERNEL

const std::vector<LrnKernel>& lrn_kernels() {
#define PYCONV_LRN_KERNEL(isa, lanes) \
  {{"lrn_f32_" #isa, "lrn", Isa::isa, 1, lanes, 0}, isa::lrn_f32},
  static const std::vector<LrnKernel> rows = {
#include "kernels/lrn/lrn_kernels.inc"
  };
#undef PYCONV_LRN_KERNEL
  return rows;
}

const LrnKernel& lrn_kernel(Isa cap) {
  for (const LrnKernel& row : lrn_kernels())
    if (isa_allowed(row.info.isa, cap)) return row;
  return lrn_kernels().back();
}

}  // namespace pyconv
