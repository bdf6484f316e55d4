// GEMM micro-kernels: a register tile of `height` rows by `nr` columns of
//
//     dst[r][n] = clamp( sum_t sum_c rows[t][r][c] * panel[t*depth + c][n]  + bias[n] )
//
// Rows are reached through pointers, one per (tap, row), so that the same kernel serves a matrix
// (one tap), an im2col buffer (one tap) and a convolution in place (kh*kw taps, "indirection": M.
// Dukhan, "The Indirect Convolution Algorithm", arXiv:1907.02129).
//
// Packed weights of one panel (nr columns, zero-padded past the last real one):
//
//     panel:  k=0: [w(0,n0) w(0,n0+1) ... w(0,n0+nr-1)]     k = (kh, kw, ic) in stored order
//             k=1: [w(1,n0) ...                       ]
//             ...
//
// Summation: per output one chain of FMAs in rising k that starts from the bias (from dst when
// !first) and ends with + 0.0f when `last` and `plus_zero`; then clamp(lo, hi), through which NaN
// passes. Without plus_zero (fast mode) a sum that underflows may be -0; the additions cost 7 cycles
// of a tile, 2 % at K = 32.
// A tap whose rows' pointers are null is left out: its products would be +-0.
// Nothing is read past a row's `depth` floats, past the panel, or past `columns` of dst. `bias` has
// nr floats. Prefetches may name any address.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

// Where a tile's results go, shared by the gemm and direct families.
struct TileOutput {
  float* dst = nullptr;             // first element of the tile
  std::int64_t dst_stride = 0;      // floats from one row to the next
  int columns = 0;                  // valid columns, nr less one (half) vector < columns <= nr
  const float* bias = nullptr;      // nr floats; read when `first`
  const float* residual = nullptr;  // added after the chain when `last`; may be null
  std::int64_t residual_stride = 0;
  bool first = true, last = true;   // first: start from bias; last: finish and clamp
  bool plus_zero = true;            // end the chain with + 0.0f when `last` (exact mode)
  bool fetch_dst = false;           // dst is not expected in L1: fetch its lines for writing early
  bool clamped = false;             // apply clamp(lo, hi) when `last`
  float lo = 0, hi = 0;
};

// `count` tiles of equal height, one below the other.
struct GemmTiles {
  const float* const* rows = nullptr;  // [count][taps][height]; null, all of a tap's: skipped
  std::int64_t count = 1, taps = 1, depth = 0;
  const float* panel = nullptr;     // [taps * depth][nr], 64-byte aligned
  const float* prefetch = nullptr;  // fetched, some lines for every 4 k; may be null
  int prefetch_lines = 1;           // of 64 bytes
  TileOutput out;                   // of the first tile
};
using GemmTilesFn = void (*)(const GemmTiles&);

constexpr int kShortDepth = 48;

struct GemmKernel {
  KernelInfo info;
  const GemmTilesFn* by_height;  // by_height[h - 1] computes h rows, 1 <= h <= info.tile_rows
  int short_rows;  // height to prefer for a depth of up to kShortDepth: lower, for stores in smaller bursts
};

// All rows of gemm_kernels.inc that this build holds, in file order.
const std::vector<GemmKernel>& gemm_kernels();
const std::vector<const KernelInfo*>& gemm_registry();

}  // namespace pyconv
