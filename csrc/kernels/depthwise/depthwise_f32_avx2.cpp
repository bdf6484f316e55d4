#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/depthwise/depthwise.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "simd/opaque.inl.h"
#include "kernels/depthwise/depthwise_body.inl.h"

namespace pyconv {
#define T(r, w, kw, s) avx2::depthwise_strip<r, w, kw, s>
extern const DepthwiseStripFn depthwise_f32_k3_2x4_avx2[2] = {T(1, 4, 3, 1), T(2, 4, 3, 1)};
extern const DepthwiseStripFn depthwise_f32_k3s2_1x7_avx2[2] = {T(1, 7, 3, 2), T(1, 7, 3, 2)};
extern const DepthwiseStripFn depthwise_f32_k5_1x7_avx2[2] = {T(1, 7, 5, 1), T(1, 7, 5, 1)};
extern const DepthwiseStripFn depthwise_f32_k7_1x7_avx2[2] = {T(1, 7, 7, 1), T(1, 7, 7, 1)};
extern const DepthwiseStripFn depthwise_f32_s1_1x7_avx2[2] = {T(1, 7, 0, 1), T(1, 7, 0, 1)};
extern const DepthwiseStripFn depthwise_f32_1x8_avx2[2] = {T(1, 8, 0, 0), T(1, 8, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
