#include "base/target_region.h"
#include "kernels/resize/resize.h"

namespace pyconv {

#define PYCONV_LERP_KERNEL(isa, lanes) \
  namespace isa {                     \
  extern const LerpFns lerp_f32; \
  }
#include "kernels/resize/lerp_kernels.inc"
#undef PYCONV_LERP_KERNEL

const std::vector<LerpKernel>& lerp_kernels() {
#define PYCONV_LERP_KERNEL(isa, lanes) \
  {{"lerp_f32_" #isa, "resize", Isa::isa, 1, lanes, 0}, &isa::lerp_f32},
  static const std::vector<LerpKernel> rows = {
#include "kernels/resize/lerp_kernels.inc"
  };
#undef PYCONV_LERP_KERNEL
  return rows;
}

const LerpKernel& lerp_kernel(Isa cap) {
  for (const LerpKernel& row : lerp_kernels())
    if (isa_allowed(row.info.isa, cap)) return row;
  return lerp_kernels().back();
}

}  // namespace pyconv
