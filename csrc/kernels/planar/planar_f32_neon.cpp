// Four channels by six vectors: 24 accumulators + 6 pixels + 1 weight = 31 of 32 registers.
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/target_region.h"
#include "kernels/planar/planar.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
extern const PlanarTiles planar_f32_24x4_neon = neon::planar_tiles<4, 6>();
extern const PlanarTiles planar_f32_32x1_neon = neon::planar_tiles<1, 8>();
}  // namespace pyconv
PYCONV_END_TARGET
#endif
