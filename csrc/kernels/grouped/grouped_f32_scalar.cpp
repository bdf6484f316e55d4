// The floor: a vector is four emulated lanes.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/grouped/grouped.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/grouped/grouped_body.inl.h"

namespace pyconv {
#define T(r, w, kw, s) scalar::grouped_strip<r, w, kw, s>
extern const GroupedStripFn grouped_f32_1x2_scalar[2] = {T(1, 2, 0, 0), T(1, 2, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
