// One packed panel times a run of rows, cut into balanced tiles.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "ops/packed_weights.h"

namespace pyconv {

// The height of the tallest tile. Where there is one tap the rows lie the same for any height.
inline int tallest_tile(const GemmKernel& kernel, const GemmTiles& tiles) {
  return tiles.taps == 1 && tiles.depth <= kShortDepth ? kernel.short_rows : kernel.info.tile_rows;
}

// Where the weights are that are wanted after this panel's; null: nothing to fetch. They are fetched while
// the panel is used, evenly, so that they may come from DRAM: as many lines per four k as `rows` rows need.
inline void fetch_next(GemmTiles& tiles, const GemmKernel& kernel, std::int64_t rows,
                       const float* next) {
  const std::int64_t count = BalancedTiles(rows, tallest_tile(kernel, tiles)).count;
  const std::int64_t lines = kernel.info.tile_cols * 4 / 16;
  tiles.prefetch = next;
  tiles.prefetch_lines =
      static_cast<int>(std::clamp<std::int64_t>((lines + count - 1) / std::max<std::int64_t>(1, count), 1, 16));
}

// `tiles` describes the first tile but for its count; its rows are laid out for BalancedTiles(rows,
// kernel.info.tile_rows): [tile][tap][row of the tile].
// Returns how many tiles there were.
inline std::int64_t multiply_panel(const GemmKernel& kernel, GemmTiles tiles, std::int64_t rows) {
  const BalancedTiles balanced(rows, tallest_tile(kernel, tiles));
  const int heights[] = {balanced.height, balanced.height - 1};
  const std::int64_t counts[] = {balanced.tall, balanced.count - balanced.tall};
  for (int part = 0; part < 2; ++part) {
    tiles.count = counts[part];
    if (tiles.count == 0) continue;
    kernel.by_height[heights[part] - 1](tiles);
    const std::int64_t done = tiles.count * heights[part];
    tiles.rows += tiles.taps * done;
    tiles.out.dst += done * tiles.out.dst_stride;
    if (tiles.out.residual) tiles.out.residual += done * tiles.out.residual_stride;
    if (tiles.prefetch)
      tiles.prefetch += tiles.count * tiles.taps * (tiles.depth / 4) * tiles.prefetch_lines * 16;
  }
  return balanced.count;
}

}  // namespace pyconv
