#include "base/target_region.h"
#include "kernels/reference/reference.h"

namespace pyconv {

#define PYCONV_REFERENCE_KERNEL(name, isa) extern const ReferenceFn name;
#include "kernels/reference/reference_kernels.inc"
#undef PYCONV_REFERENCE_KERNEL

const std::vector<ReferenceKernel>& reference_kernels() {
#define PYCONV_REFERENCE_KERNEL(name, isa) {{#name, "reference", Isa::isa, 0, 1, 1}, name},
  static const std::vector<ReferenceKernel> rows = {
#include "kernels/reference/reference_kernels.inc"
  };
#undef PYCONV_REFERENCE_KERNEL
  return rows;
}

}  // namespace pyconv
