// Four channels by six vectors: 24 accumulators + 6 pixels + 1 weight = 31 of 32 registers.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/planar/planar.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
#define T(q, v) neon::planar_tile<q, v>
extern const PlanarTileFn planar_f32_24x4_neon[6] = {T(4, 1), T(4, 2), T(4, 3), T(4, 4), T(4, 5), T(4, 6)};
extern const PlanarTileFn planar_f32_32x1_neon[8] = {T(1, 1), T(1, 2), T(1, 3), T(1, 4), T(1, 5), T(1, 6), T(1, 7), T(1, 8)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
