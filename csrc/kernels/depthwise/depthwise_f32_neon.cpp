// Tiles for 32 registers of 4 floats: those of depthwise_f32_avx512.cpp for 3x3, the rest general.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/depthwise/depthwise.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/depthwise/depthwise_body.inl.h"

namespace pyconv {
#define T(r, w, kh, kw, s) neon::depthwise_strip<r, w, kh, kw, s>
extern const DepthwiseStripFn depthwise_f32_k3_2x7_neon[2] = {T(1, 7, 3, 3, 1), T(2, 7, 3, 3, 1)};
extern const DepthwiseStripFn depthwise_f32_s1_1x8_neon[2] = {T(1, 8, 0, 0, 1), T(1, 8, 0, 0, 1)};
extern const DepthwiseStripFn depthwise_f32_1x8_neon[2] = {T(1, 8, 0, 0, 0), T(1, 8, 0, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
