// Tiles for 16 registers of 8 floats: 6x16 is 12 accumulators + 2 weights + 1 broadcast; 4x24 is
// 12 + 3 + 1; 12x8 is 12 + 1 + 1, bound by its loads. Twelve chains cover 2 pipes x 4 cycles.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/gemm/gemm.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"

namespace pyconv {
#define T(h, v) avx2::gemm_tiles<h, v>
extern const GemmTilesFn gemm_f32_6x16_avx2[6] = {T(1, 2), T(2, 2), T(3, 2),
                                                 T(4, 2), T(5, 2), T(6, 2)};
extern const GemmTilesFn gemm_f32_4x24_avx2[4] = {T(1, 3), T(2, 3), T(3, 3), T(4, 3)};
extern const GemmTilesFn gemm_f32_12x8_avx2[12] = {T(1, 1), T(2, 1), T(3, 1),  T(4, 1),
                                                  T(5, 1), T(6, 1), T(7, 1),  T(8, 1),
                                                  T(9, 1), T(10, 1), T(11, 1), T(12, 1)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
