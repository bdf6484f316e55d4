// Tiles for 32 registers of 4 floats: 6x16 is 24 accumulators + 4 weights + 1 broadcast.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/gemm/gemm.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"

namespace pyconv {
#define T(h, v) neon::gemm_tiles<h, v>
extern const GemmTilesFn gemm_f32_6x16_neon[6] = {T(1, 4), T(2, 4), T(3, 4),
                                                 T(4, 4), T(5, 4), T(6, 4)};
extern const GemmTilesFn gemm_f32_8x8_neon[8] = {T(1, 2), T(2, 2), T(3, 2), T(4, 2),
                                                T(5, 2), T(6, 2), T(7, 2), T(8, 2)};
extern const GemmTilesFn gemm_f32_8x4_neon[8] = {T(1, 1), T(2, 1), T(3, 1), T(4, 1),
                                                T(5, 1), T(6, 1), T(7, 1), T(8, 1)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
