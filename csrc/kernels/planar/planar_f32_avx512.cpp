// Four channels by six vectors: 24 accumulators + 6 pixels + 1 weight = 31 of 32 registers; per term
// 24 FMAs (12 cycles) against 6 loads that cross a cache line and 4 broadcasts (8 cycles on two
// ports). Six channels by four vectors: 24 + 4 + 1, and four loads serve 24 FMAs. With fewer channels
// the loads become the bound: one channel can reach half the peak.
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/target_region.h"
#include "kernels/planar/planar.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
extern const PlanarTiles planar_f32_64x6_avx512 = avx512::planar_tiles<6, 4>();
extern const PlanarTiles planar_f32_96x4_avx512 = avx512::planar_tiles<4, 6>();
extern const PlanarTiles planar_f32_128x3_avx512 = avx512::planar_tiles<3, 8>();
extern const PlanarTiles planar_f32_128x2_avx512 = avx512::planar_tiles<2, 8>();
extern const PlanarTiles planar_f32_128x1_avx512 = avx512::planar_tiles<1, 8>();
}  // namespace pyconv
PYCONV_END_TARGET
#endif
