// Four channels by three vectors: 12 accumulators + 3 pixels + 1 weight = 16 registers.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/planar/planar.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/planar/planar_body.inl.h"

namespace pyconv {
#define T(q, v) avx2::planar_tile<q, v>
extern const PlanarTileFn planar_f32_24x4_avx2[3] = {T(4, 1), T(4, 2), T(4, 3)};
extern const PlanarTileFn planar_f32_48x2_avx2[6] = {T(2, 1), T(2, 2), T(2, 3), T(2, 4), T(2, 5), T(2, 6)};
extern const PlanarTileFn planar_f32_64x1_avx2[8] = {T(1, 1), T(1, 2), T(1, 3), T(1, 4), T(1, 5), T(1, 6), T(1, 7), T(1, 8)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
