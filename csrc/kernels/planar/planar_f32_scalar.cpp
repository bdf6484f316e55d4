// The floor: portable C++.
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/target_region.h"
#include "kernels/planar/planar.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
extern const PlanarTiles planar_f32_8x4_scalar = scalar::planar_tiles<4, 2>();
extern const PlanarTiles planar_f32_8x1_scalar = scalar::planar_tiles<1, 2>();
}  // namespace pyconv
PYCONV_END_TARGET

