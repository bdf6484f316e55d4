#include "base/target_region.h"
#include "kernels/pool/pool.h"

namespace pyconv {

#define PYCONV_POOL_WINDOW(name, isa, kind, nhwc, lanes) extern const PoolFn name;
#define PYCONV_POOL_GLOBAL(name, isa, kind, nhwc, lanes) extern const PoolGlobalFn name;
#include "kernels/pool/pool_kernels.inc"
#undef PYCONV_POOL_WINDOW
#undef PYCONV_POOL_GLOBAL

const std::vector<PoolKernel>& pool_kernels() {
#define PYCONV_POOL_WINDOW(name, isa, kind, nhwc, lanes) \
  {{#name, "pool", Isa::isa, 1, lanes, 0}, PoolKind::kind, nhwc, name, nullptr},
#define PYCONV_POOL_GLOBAL(name, isa, kind, nhwc, lanes) \
  {{#name, "global_pool", Isa::isa, 1, lanes, 0}, PoolKind::kind, nhwc, nullptr, name},
  static const std::vector<PoolKernel> list = {
#include "kernels/pool/pool_kernels.inc"
  };
#undef PYCONV_POOL_WINDOW
#undef PYCONV_POOL_GLOBAL
  return list;
}

}  // namespace pyconv
