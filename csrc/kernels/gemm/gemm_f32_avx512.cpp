// Tiles for 32 registers of 16 floats. 6x64: 24 accumulators + 4 weights + 1 broadcast = 29. Per k
// 24 FMAs take 12 cycles on two pipes, 4 + 6 loads take 5 on two ports; the chains are 24 >= 2 pipes
// x 4 cycles of latency. Narrow panels take taller tiles: 8x48 (24 + 3 + 1), 8x32 (16 + 2 + 1), and
// 11x16, where one load per FMA is the bound, and twelve row pointers would be one too many. Remainders
// of rows have a kernel for every height. A tile ends in a burst of stores that keeps the FMAs of the
// next one waiting: at small depths lower tiles, with smaller bursts, are up to 6 % faster.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/gemm/gemm.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/fma_row_avx512.inl.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"
#include "kernels/gemm/gemm_f32_24_avx512.inl.h"

namespace pyconv {
#define T(h, v) avx512::gemm_tiles<h, v>
extern const GemmTilesFn gemm_f32_6x64_avx512[6] = {T(1, 4), T(2, 4), T(3, 4),
                                                   T(4, 4), T(5, 4), T(6, 4)};
extern const GemmTilesFn gemm_f32_8x48_avx512[8] = {T(1, 3), T(2, 3), T(3, 3), T(4, 3),
                                                   T(5, 3), T(6, 3), T(7, 3), T(8, 3)};
extern const GemmTilesFn gemm_f32_8x32_avx512[8] = {T(1, 2), T(2, 2), T(3, 2), T(4, 2),
                                                   T(5, 2), T(6, 2), T(7, 2), T(8, 2)};
extern const GemmTilesFn gemm_f32_11x16_avx512[11] = {T(1, 1), T(2, 1), T(3, 1),  T(4, 1),
                                                     T(5, 1), T(6, 1), T(7, 1),  T(8, 1),
                                                     T(9, 1), T(10, 1), T(11, 1)};
#undef T
#define T(h) avx512::gemm_tiles_24<h, avx512::PairedTile>
extern const GemmTilesFn gemm_f32_12x24_avx512[12] = {T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8), T(9), T(10), T(11), T(12)};
#undef T
#define T(h) avx512::gemm_tiles_24<h, avx512::SplitTile>
extern const GemmTilesFn gemm_f32_8x24_avx512[8] = {T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
