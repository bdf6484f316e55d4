// Four channels by six vectors: 24 accumulators + 6 pixels + 1 weight = 31 of 32 registers; per term
// 24 FMAs (12 cycles) against 6 loads that cross a cache line and 4 broadcasts (8 cycles on two
// ports). With fewer channels the loads become the bound: one channel can reach half the peak.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/planar/planar.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
#define T(q, v) avx512::planar_tile<q, v>
extern const PlanarTileFn planar_f32_96x4_avx512[6] = {T(4, 1), T(4, 2), T(4, 3), T(4, 4), T(4, 5), T(4, 6)};
extern const PlanarTileFn planar_f32_128x3_avx512[8] = {T(3, 1), T(3, 2), T(3, 3), T(3, 4), T(3, 5), T(3, 6), T(3, 7), T(3, 8)};
extern const PlanarTileFn planar_f32_128x2_avx512[8] = {T(2, 1), T(2, 2), T(2, 3), T(2, 4), T(2, 5), T(2, 6), T(2, 7), T(2, 8)};
extern const PlanarTileFn planar_f32_128x1_avx512[8] = {T(1, 1), T(1, 2), T(1, 3), T(1, 4), T(1, 5), T(1, 6), T(1, 7), T(1, 8)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
