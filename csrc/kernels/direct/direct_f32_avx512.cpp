// The tiles of gemm_f32_avx512.cpp, two rows lower where pixel addresses would run out of registers.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/direct/direct.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/fma_row_avx512.inl.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"
#include "kernels/gemm/gemm_f32_24_avx512.inl.h"
#include "kernels/direct/direct_body.inl.h"

namespace pyconv {
namespace avx512 {
namespace {

// 24 columns, one vector and a half: see gemm_f32_24_avx512.inl.h.
template <int MR, template <int> class Tile>
void direct_tile_24(const DirectTile& tile) {
  const typename Tile<MR>::Columns columns(tile.out.columns);
  Tile<MR> result;
  result.begin(tile.out, columns);
  const float* a[MR];
#pragma GCC unroll 12
  for (int i = 0; i < MR; ++i) a[i] = tile.src + i * tile.pixel_stride;
  const float* b = tile.panel;
  for (const std::int32_t *offset = tile.offsets, *end = offset + tile.depth; offset < end; ++offset, b += kColumns)
    result.template step<0>(a, *offset, b);
  result.end(tile.out, columns);
}

}  // namespace
}  // namespace avx512
}  // namespace pyconv

namespace pyconv {
#define T(h, v) avx512::direct_tile<h, v>
extern const DirectTileFn direct_f32_6x64_avx512[6] = {T(1, 4), T(2, 4), T(3, 4), T(4, 4), T(5, 4), T(6, 4)};
extern const DirectTileFn direct_f32_8x48_avx512[8] = {T(1, 3), T(2, 3), T(3, 3), T(4, 3), T(5, 3), T(6, 3), T(7, 3), T(8, 3)};
extern const DirectTileFn direct_f32_12x32_avx512[12] = {T(1, 2), T(2, 2), T(3, 2), T(4, 2), T(5, 2), T(6, 2), T(7, 2), T(8, 2), T(9, 2), T(10, 2), T(11, 2), T(12, 2)};
extern const DirectTileFn direct_f32_12x16_avx512[12] = {T(1, 1), T(2, 1), T(3, 1), T(4, 1), T(5, 1), T(6, 1), T(7, 1), T(8, 1), T(9, 1), T(10, 1), T(11, 1), T(12, 1)};
#undef T
#define T(h) avx512::direct_tile_24<h, avx512::PairedTile>
extern const DirectTileFn direct_f32_12x24_avx512[12] = {T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8), T(9), T(10), T(11), T(12)};
#undef T
#define T(h) avx512::direct_tile_24<h, avx512::SplitTile>
extern const DirectTileFn direct_f32_8x24_avx512[8] = {T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
