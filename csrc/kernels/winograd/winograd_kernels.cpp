#include "base/target_region.h"
#include "kernels/winograd/winograd.h"

namespace pyconv {

#define PYCONV_WINOGRAD_KERNEL(name, isa, m, taps, stride, efficiency) extern const WinogradTransforms name;
#include "kernels/winograd/winograd_kernels.inc"
#undef PYCONV_WINOGRAD_KERNEL

const std::vector<WinogradKernel>& winograd_kernels() {
#define PYCONV_WINOGRAD_KERNEL(name, isa, m, taps, stride, efficiency) \
  {{#name, "winograd", Isa::isa, m, m, efficiency}, taps, stride, &name},
  static const std::vector<WinogradKernel> rows = {
#include "kernels/winograd/winograd_kernels.inc"
  };
#undef PYCONV_WINOGRAD_KERNEL
  return rows;
}

}  // namespace pyconv
