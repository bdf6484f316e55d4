// The floor: a vector is four emulated lanes, so that three of them fill the registers.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/depthwise/depthwise.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/depthwise/depthwise_body.inl.h"

namespace pyconv {
#define T(r, w, kh, kw, s) scalar::depthwise_strip<r, w, kh, kw, s>
extern const DepthwiseStripFn depthwise_f32_1x3_scalar[2] = {T(1, 3, 0, 0, 0), T(1, 3, 0, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
