// 16 lanes. A 3x3 window holds nine taps, the accumulator and three NaN masks of eight: no tiling over
// outputs is needed to hide latency, since windows do not depend on each other.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/pool/pool.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "simd/tree_sum.inl.h"

namespace pyconv {
namespace avx512 {
namespace {

PYCONV_INLINE vf even_short(vf a, vf b) {
  const vi lane = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(a, lane, b);
}
PYCONV_INLINE void split(vf a, vf b, vf& even, vf& odd) {
  const vi lane = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = _mm512_permutex2var_ps(a, lane, b);
  odd = _mm512_permutex2var_ps(a, iadd(lane, iset1(1)), b);
}
PYCONV_INLINE vi imax(vi a, vi b) { return _mm512_max_epi32(a, b); }
PYCONV_INLINE vm above(vi a, vi b) { return _mm512_cmpgt_epi32_mask(a, b); }

}  // namespace
}  // namespace avx512
}  // namespace pyconv
#include "kernels/pool/pool_fold.inl.h"
#include "kernels/pool/pool_taps.inl.h"
#include "kernels/pool/pool_max3x3.inl.h"
#include "kernels/pool/pool_nhwc.inl.h"
#include "kernels/pool/pool_nchw.inl.h"
#include "kernels/pool/pool_global.inl.h"

namespace pyconv {
extern const PoolFn maxpool_f32_nhwc_avx512 = avx512::pool_nhwc<true>;
extern const PoolFn maxpool_f32_nchw_avx512 = avx512::pool_nchw<true>;
extern const PoolFn avgpool_f32_nhwc_avx512 = avx512::pool_nhwc<false>;
extern const PoolFn avgpool_f32_nchw_avx512 = avx512::pool_nchw<false>;
extern const PoolGlobalFn globalmax_f32_nhwc_avx512 = avx512::global_nhwc<true>;
extern const PoolGlobalFn globalmax_f32_nchw_avx512 = avx512::global_nchw<true>;
extern const PoolGlobalFn globalavg_f32_nhwc_avx512 = avx512::global_nhwc<false>;
extern const PoolGlobalFn globalavg_f32_nchw_avx512 = avx512::global_nchw<false>;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
