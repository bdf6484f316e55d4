// The floor: portable C++.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/planar/planar.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
#define T(q, v) scalar::planar_tile<q, v>
extern const PlanarTileFn planar_f32_8x4_scalar[2] = {T(4, 1), T(4, 2)};
extern const PlanarTileFn planar_f32_8x1_scalar[2] = {T(1, 1), T(1, 2)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET

