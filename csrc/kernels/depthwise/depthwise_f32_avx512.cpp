// Tiles for 32 registers of 16 floats: two output rows of 7 columns (the widths of image networks
// are multiples of 7), 14 accumulators, more than the 2 pipes x 4 cycles of latency. 3x3: with the
// weights of two filter rows and a source vector 14 + 6 + 1 registers, 36 loads for 126 FMAs. 5x5:
// 14 + 10 + 1, 7x7: 14 + 14 + 1. 3x3 walking down: 21 accumulators, 9 weights, a source vector.
// Filters of any width: 12 accumulators, 4 weights, a source vector.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/depthwise/depthwise.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/depthwise/depthwise_body.inl.h"
#include "kernels/depthwise/depthwise3x3_body.inl.h"

namespace pyconv {
#define T(r, w, kh, kw, s) avx512::depthwise_strip<r, w, kh, kw, s>
extern const DepthwiseStripFn depthwise_f32_k3_nx7_avx512[2] = {avx512::depthwise3x3_strip<7>,
                                                                avx512::depthwise3x3_strip<7>};
extern const DepthwiseStripFn depthwise_f32_k3_2x7_avx512[2] = {T(1, 7, 3, 3, 1), T(2, 7, 3, 3, 1)};
extern const DepthwiseStripFn depthwise_f32_k3s2_2x7_avx512[2] = {
    T(1, 7, 3, 3, 2), T(2, 7, 3, 3, 2)};
extern const DepthwiseStripFn depthwise_f32_k5_2x7_avx512[2] = {T(1, 7, 0, 5, 1), T(2, 7, 0, 5, 1)};
extern const DepthwiseStripFn depthwise_f32_k5s2_2x7_avx512[2] = {
    T(1, 7, 5, 5, 2), T(2, 7, 5, 5, 2)};
extern const DepthwiseStripFn depthwise_f32_k7_2x7_avx512[2] = {T(1, 7, 0, 7, 1), T(2, 7, 0, 7, 1)};
extern const DepthwiseStripFn depthwise_f32_s1_1x12_avx512[2] = {
    T(1, 12, 0, 0, 1), T(1, 12, 0, 0, 1)};
extern const DepthwiseStripFn depthwise_f32_s2_1x12_avx512[2] = {
    T(1, 12, 0, 0, 2), T(1, 12, 0, 0, 2)};
extern const DepthwiseStripFn depthwise_f32_1x12_avx512[2] = {T(1, 12, 0, 0, 0), T(1, 12, 0, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
