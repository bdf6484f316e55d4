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

namespace {
constexpr std::int64_t kWidest = 16;  // lanes
std::int64_t whole_vectors(std::int64_t n) { return (n + kWidest - 1) / kWidest * kWidest; }
}  // namespace

PoolBand pool_band(const PoolImage& p) {
  const std::int64_t columns = (whole_vectors(p.ow) - 1) * p.sw + (p.kw - 1) * p.dw + 1;
  return {(p.row1 - p.row0 - 1) * p.sh + (p.kh - 1) * p.dh + 1, whole_vectors(columns)};
}

std::int64_t pool_scratch_floats(const PoolImage& p) {
  const PoolBand band = pool_band(p);
  return band.rows * band.stride + whole_vectors(p.ow);
}

}  // namespace pyconv
