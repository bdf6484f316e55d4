#include "base/target_region.h"
#include "kernels/planar/planar.h"

namespace pyconv {

#define PYCONV_PLANAR_KERNEL(name, isa, pixels, channels, vectors, efficiency) \
  extern const PlanarTiles name;
#include "kernels/planar/planar_kernels.inc"
#undef PYCONV_PLANAR_KERNEL

const std::vector<PlanarKernel>& planar_kernels() {
#define PYCONV_PLANAR_KERNEL(name, isa, pixels, channels, vectors, efficiency) \
  {{#name, "planar", Isa::isa, pixels, channels, efficiency}, &name, vectors},
  static const std::vector<PlanarKernel> rows = {
#include "kernels/planar/planar_kernels.inc"
  };
#undef PYCONV_PLANAR_KERNEL
  return rows;
}

const std::vector<const KernelInfo*>& planar_registry() {
  static const std::vector<const KernelInfo*> registry = registry_of(planar_kernels());
  return registry;
}

}  // namespace pyconv
