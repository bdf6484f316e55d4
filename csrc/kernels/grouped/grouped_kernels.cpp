#include "base/target_region.h"
#include "kernels/grouped/grouped.h"

namespace pyconv {

#define PYCONV_GROUPED_KERNEL(name, isa, rows, columns, lanes, kw, stride, efficiency) \
  extern const GroupedStripFn name[2];
#include "kernels/grouped/grouped_kernels.inc"
#undef PYCONV_GROUPED_KERNEL

const std::vector<GroupedKernel>& grouped_kernels() {
#define PYCONV_GROUPED_KERNEL(name, isa, rows, columns, lanes, kw, stride, efficiency) \
  {{#name, "grouped", Isa::isa, columns, lanes, efficiency}, {rows, 0, kw, stride}, name[0],    \
   name[1]},
  static const std::vector<GroupedKernel> list = {
#include "kernels/grouped/grouped_kernels.inc"
  };
#undef PYCONV_GROUPED_KERNEL
  return list;
}

const std::vector<const KernelInfo*>& grouped_registry() {
  static const std::vector<const KernelInfo*> registry = registry_of(grouped_kernels());
  return registry;
}

}  // namespace pyconv
