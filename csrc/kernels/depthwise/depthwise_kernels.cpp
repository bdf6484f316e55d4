#include "base/target_region.h"
#include "kernels/depthwise/depthwise.h"

namespace pyconv {

#define PYCONV_DEPTHWISE_KERNEL(name, isa, rows, columns, lanes, kh, kw, stride, efficiency) \
  extern const DepthwiseStripFn name[2];
#include "kernels/depthwise/depthwise_kernels.inc"
#undef PYCONV_DEPTHWISE_KERNEL

const std::vector<DepthwiseKernel>& depthwise_kernels() {
#define PYCONV_DEPTHWISE_KERNEL(name, isa, rows, columns, lanes, kh, kw, stride, efficiency) \
  {{#name, "depthwise", Isa::isa, columns, lanes, efficiency}, {rows, kh, kw, stride}, name[0],    \
   name[1]},
  static const std::vector<DepthwiseKernel> list = {
#include "kernels/depthwise/depthwise_kernels.inc"
  };
#undef PYCONV_DEPTHWISE_KERNEL
  return list;
}

const std::vector<const KernelInfo*>& depthwise_registry() {
  static const std::vector<const KernelInfo*> registry = registry_of(depthwise_kernels());
  return registry;
}

}  // namespace pyconv
