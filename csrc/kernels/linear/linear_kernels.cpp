#include "base/target_region.h"
#include "kernels/linear/linear.h"

namespace pyconv {

#define PYCONV_LINEAR_ROWS(name, isa, order, lanes) extern const LinearRowsFn name;
#define PYCONV_LINEAR_PANELS(name, isa, order, lanes) extern const LinearPanelsFn name;
#include "kernels/linear/linear_kernels.inc"
#undef PYCONV_LINEAR_ROWS
#undef PYCONV_LINEAR_PANELS

const std::vector<LinearKernel>& linear_kernels() {
#define PYCONV_LINEAR_ROWS(name, isa, order, lanes) \
  {{#name, "linear", Isa::isa, kLinearRows, lanes, 0}, LinearOrder::order, name, nullptr},
#define PYCONV_LINEAR_PANELS(name, isa, order, lanes) \
  {{#name, "linear", Isa::isa, kLinearRows, lanes, 0}, LinearOrder::order, nullptr, name},
  static const std::vector<LinearKernel> list = {
#include "kernels/linear/linear_kernels.inc"
  };
#undef PYCONV_LINEAR_ROWS
#undef PYCONV_LINEAR_PANELS
  return list;
}

}  // namespace pyconv
