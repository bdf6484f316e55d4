#include "base/target_region.h"
#include "kernels/softmax/softmax.h"

namespace pyconv {

#define PYCONV_SOFTMAX_KERNEL(isa, lanes) \
  namespace isa {                         \
  extern const SoftmaxFns softmax_f32;    \
  }
#include "kernels/softmax/softmax_kernels.inc"
#undef PYCONV_SOFTMAX_KERNEL

const std::vector<SoftmaxKernel>& softmax_kernels() {
#define PYCONV_SOFTMAX_KERNEL(isa, lanes) \
  {{"softmax_f32_" #isa, "softmax", Isa::isa, 1, lanes, 0}, &isa::softmax_f32},
  static const std::vector<SoftmaxKernel> rows = {
#include "kernels/softmax/softmax_kernels.inc"
  };
#undef PYCONV_SOFTMAX_KERNEL
  return rows;
}

const SoftmaxKernel& softmax_kernel(Isa cap) {
  for (const SoftmaxKernel& row : softmax_kernels())
    if (isa_allowed(row.info.isa, cap)) return row;
  return softmax_kernels().back();
}

}  // namespace pyconv
