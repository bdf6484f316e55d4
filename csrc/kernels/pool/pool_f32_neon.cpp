// 4 lanes.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/pool/pool.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "simd/tree_sum.inl.h"

namespace pyconv {
namespace neon {
namespace {

PYCONV_INLINE vf even_short(vf a, vf b) { return vuzp1q_f32(a, vextq_f32(b, b, 1)); }
PYCONV_INLINE void split(vf a, vf b, vf& even, vf& odd) {
  even = vuzp1q_f32(a, b);
  odd = vuzp2q_f32(a, b);
}
PYCONV_INLINE vi imax(vi a, vi b) { return vmaxq_s32(a, b); }
PYCONV_INLINE vm above(vi a, vi b) { return vcgtq_s32(a, b); }

}  // namespace
}  // namespace neon
}  // namespace pyconv
#include "kernels/pool/pool_fold.inl.h"
#include "kernels/pool/pool_taps.inl.h"
#include "kernels/pool/pool_max3x3.inl.h"
#include "kernels/pool/pool_nhwc.inl.h"
#include "kernels/pool/pool_nchw.inl.h"
#include "kernels/pool/pool_global.inl.h"

namespace pyconv {
extern const PoolFn maxpool_f32_nhwc_neon = neon::pool_nhwc<true>;
extern const PoolFn maxpool_f32_nchw_neon = neon::pool_nchw<true>;
extern const PoolFn avgpool_f32_nhwc_neon = neon::pool_nhwc<false>;
extern const PoolFn avgpool_f32_nchw_neon = neon::pool_nchw<false>;
extern const PoolGlobalFn globalmax_f32_nhwc_neon = neon::global_nhwc<true>;
extern const PoolGlobalFn globalmax_f32_nchw_neon = neon::global_nchw<true>;
extern const PoolGlobalFn globalavg_f32_nhwc_neon = neon::global_nhwc<false>;
extern const PoolGlobalFn globalavg_f32_nchw_neon = neon::global_nchw<false>;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
