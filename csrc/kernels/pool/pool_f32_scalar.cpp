// The floor: 4 emulated lanes.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/pool/pool.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "simd/tree_sum.inl.h"

namespace pyconv {
namespace scalar {
namespace {

PYCONV_INLINE vf even_short(vf a, vf b) { return {{a.f[0], a.f[2], b.f[1], b.f[3]}}; }
PYCONV_INLINE void split(vf a, vf b, vf& even, vf& odd) {
  even = {{a.f[0], a.f[2], b.f[0], b.f[2]}};
  odd = {{a.f[1], a.f[3], b.f[1], b.f[3]}};
}
PYCONV_INLINE vi imax(vi a, vi b) {
  for (int i = 0; i < VL; ++i) a.k[i] = a.k[i] > b.k[i] ? a.k[i] : b.k[i];
  return a;
}
PYCONV_INLINE vm above(vi a, vi b) {
  vm m = 0;
  for (int i = 0; i < VL; ++i) m |= static_cast<vm>(a.k[i] > b.k[i]) << i;
  return m;
}

}  // namespace
}  // namespace scalar
}  // namespace pyconv
#include "kernels/pool/pool_fold.inl.h"
#include "kernels/pool/pool_taps.inl.h"
#include "kernels/pool/pool_max3x3.inl.h"
#include "kernels/pool/pool_nhwc.inl.h"
#include "kernels/pool/pool_nchw.inl.h"
#include "kernels/pool/pool_global.inl.h"

namespace pyconv {
extern const PoolFn maxpool_f32_nhwc_scalar = scalar::pool_nhwc<true>;
extern const PoolFn maxpool_f32_nchw_scalar = scalar::pool_nchw<true>;
extern const PoolFn avgpool_f32_nhwc_scalar = scalar::pool_nhwc<false>;
extern const PoolFn avgpool_f32_nchw_scalar = scalar::pool_nchw<false>;
extern const PoolGlobalFn globalmax_f32_nhwc_scalar = scalar::global_nhwc<true>;
extern const PoolGlobalFn globalmax_f32_nchw_scalar = scalar::global_nchw<true>;
extern const PoolGlobalFn globalavg_f32_nhwc_scalar = scalar::global_nhwc<false>;
extern const PoolGlobalFn globalavg_f32_nchw_scalar = scalar::global_nchw<false>;
}  // namespace pyconv
PYCONV_END_TARGET
