// One packed panel times a run of rows, cut into balanced tiles.
#pragma once
#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "ops/packed_weights.h"

namespace pyconv {

// Where to find, and how fast to fetch, the weights that are wanted next; null: nothing to fetch.
inline void fetch_next(GemmTiles& tiles, const GemmKernel& kernel, std::int64_t rows,
                       const float* next) {
  tiles.prefetch = next;
  // 128 bytes per four k where 64 would not cover a panel of this width in so few tiles.
  const std::int64_t count = BalancedTiles(rows, kernel.info.tile_rows).count;
  tiles.prefetch_step = count * 16 < kernel.info.tile_cols * 4 ? 128 : 64;
}

// `tiles` describes the first tile but for its count; its rows are laid out for BalancedTiles(rows,
// kernel's height): [tile][tap][row of the tile].
inline void multiply_panel(const GemmKernel& kernel, GemmTiles tiles, std::int64_t rows) {
  const BalancedTiles balanced(rows, kernel.info.tile_rows);
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
      tiles.prefetch += tiles.count * tiles.taps * (tiles.depth / 4) * tiles.prefetch_step / 4;
  }
}

}  // namespace pyconv
