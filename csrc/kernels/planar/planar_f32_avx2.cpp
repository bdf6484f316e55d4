// Four channels by three vectors: 12 accumulators + 3 pixels + 1 weight = 16 registers; six by two: 15.
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/target_region.h"
#include "kernels/planar/planar.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
extern const PlanarTiles planar_f32_16x6_avx2 = avx2::planar_tiles<6, 2>();
extern const PlanarTiles planar_f32_24x4_avx2 = avx2::planar_tiles<4, 3>();
extern const PlanarTiles planar_f32_48x2_avx2 = avx2::planar_tiles<2, 6>();
extern const PlanarTiles planar_f32_64x1_avx2 = avx2::planar_tiles<1, 8>();
}  // namespace pyconv
PYCONV_END_TARGET
#endif
