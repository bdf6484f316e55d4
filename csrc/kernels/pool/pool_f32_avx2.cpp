// 8 lanes.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/pool/pool.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "simd/tree_sum.inl.h"

namespace pyconv {
namespace avx2 {
namespace {

// Pairs of 64 bits come out as a b a b: put them in order.
PYCONV_INLINE vf in_order(vf v) {
  return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xd8));
}
PYCONV_INLINE vf even_short(vf a, vf b) { return in_order(_mm256_shuffle_ps(a, b, 0xd8)); }
PYCONV_INLINE void split(vf a, vf b, vf& even, vf& odd) {
  even = in_order(_mm256_shuffle_ps(a, b, 0x88));
  odd = in_order(_mm256_shuffle_ps(a, b, 0xdd));
}
PYCONV_INLINE vi imax(vi a, vi b) { return _mm256_max_epi32(a, b); }
PYCONV_INLINE vm above(vi a, vi b) { return _mm256_cmpgt_epi32(a, b); }

}  // namespace
}  // namespace avx2
}  // namespace pyconv
#include "kernels/pool/pool_fold.inl.h"
#include "kernels/pool/pool_taps.inl.h"
#include "kernels/pool/pool_max3x3.inl.h"
#include "kernels/pool/pool_nhwc.inl.h"
#include "kernels/pool/pool_nchw.inl.h"
#include "kernels/pool/pool_global.inl.h"

namespace pyconv {
extern const PoolFn maxpool_f32_nhwc_avx2 = avx2::pool_nhwc<true>;
extern const PoolFn maxpool_f32_nchw_avx2 = avx2::pool_nchw<true>;
extern const PoolFn avgpool_f32_nhwc_avx2 = avx2::pool_nhwc<false>;
extern const PoolFn avgpool_f32_nchw_avx2 = avx2::pool_nchw<false>;
extern const PoolGlobalFn globalmax_f32_nhwc_avx2 = avx2::global_nhwc<true>;
extern const PoolGlobalFn globalmax_f32_nchw_avx2 = avx2::global_nchw<true>;
extern const PoolGlobalFn globalavg_f32_nhwc_avx2 = avx2::global_nhwc<false>;
extern const PoolGlobalFn globalavg_f32_nchw_avx2 = avx2::global_nchw<false>;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
