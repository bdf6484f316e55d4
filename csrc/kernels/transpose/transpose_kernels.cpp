#include "base/target_region.h"
#include "kernels/transpose/transpose.h"

namespace pyconv {

#define PYCONV_TRANSPOSE_KERNEL(name, isa, rows, cols) extern const TransposeFn name;
#include "kernels/transpose/transpose_kernels.inc"
#undef PYCONV_TRANSPOSE_KERNEL

const std::vector<TransposeKernel>& transpose_kernels() {
#define PYCONV_TRANSPOSE_KERNEL(name, isa, rows, cols) \
  {{#name, "transpose", Isa::isa, rows, cols, 0}, name},
  static const std::vector<TransposeKernel> list = {
#include "kernels/transpose/transpose_kernels.inc"
  };
#undef PYCONV_TRANSPOSE_KERNEL
  return list;
}

}  // namespace pyconv
