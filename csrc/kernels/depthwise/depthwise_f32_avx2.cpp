// Tiles for 16 registers of 8 floats: 3x3 takes two output rows of 4 columns, 8 accumulators + 6
// weights + 1 source vector; wider filters one row, 7 + 5 + 1 and 7 + 7 + 1.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/depthwise/depthwise.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/depthwise/depthwise_body.inl.h"

namespace pyconv {
#define T(r, w, kh, kw, s) avx2::depthwise_strip<r, w, kh, kw, s>
extern const DepthwiseStripFn depthwise_f32_k3_2x4_avx2[2] = {T(1, 4, 3, 3, 1), T(2, 4, 3, 3, 1)};
extern const DepthwiseStripFn depthwise_f32_k3s2_2x4_avx2[2] = {T(1, 4, 3, 3, 2), T(2, 4, 3, 3, 2)};
extern const DepthwiseStripFn depthwise_f32_k5_1x7_avx2[2] = {T(1, 7, 0, 5, 1), T(1, 7, 0, 5, 1)};
extern const DepthwiseStripFn depthwise_f32_k7_1x7_avx2[2] = {T(1, 7, 0, 7, 1), T(1, 7, 0, 7, 1)};
extern const DepthwiseStripFn depthwise_f32_s1_1x7_avx2[2] = {T(1, 7, 0, 0, 1), T(1, 7, 0, 0, 1)};
extern const DepthwiseStripFn depthwise_f32_s2_1x7_avx2[2] = {T(1, 7, 0, 0, 2), T(1, 7, 0, 0, 2)};
extern const DepthwiseStripFn depthwise_f32_1x8_avx2[2] = {T(1, 8, 0, 0, 0), T(1, 8, 0, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
