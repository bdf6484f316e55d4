// Transposition of a matrix block, the conversion between NCHW and NHWC:
//
//     dst[c * dst_stride + r] = src[r * src_stride + c]      r < rows, c < cols
//
// for any sizes and alignment; src and dst do not overlap. Nothing outside the block is read or
// written. Values are moved, never computed with: NaN payloads survive.
//
// A block goes through registers in tiles of info.tile_rows x info.tile_cols: a column of the tile
// is one vector. At the edges a tile is shifted back over its neighbour, or masked where the block
// is smaller than a tile. Few columns (of few channels in NHWC) or few rows (in NCHW) that lie
// densely take permutations of whole vectors instead where the ISA has them.
#pragma once
#include <cstdint>
#include <string>

#include "kernels/registry.h"

namespace pyconv {

struct TransposeBlock {
  const float* src = nullptr;
  std::int64_t src_stride = 0;  // floats from row to row of src
  float* dst = nullptr;
  std::int64_t dst_stride = 0;  // floats from row to row of dst, that is from column to column of src
  std::int64_t rows = 0, cols = 0;
};
using TransposeFn = void (*)(const TransposeBlock&);

struct TransposeKernel {
  KernelInfo info;
  TransposeFn run;
};

// All rows of transpose_kernels.inc that this build holds, best first within an architecture.
const std::vector<TransposeKernel>& transpose_kernels();

}  // namespace pyconv
