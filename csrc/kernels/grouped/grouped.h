// Grouped convolution micro-kernels: strips (strip.h) whose lanes are the output channels of several
// whole groups,
//
//     dst[j][q][g*ocg + o] = clamp( bias[g*ocg + o] + sum over taps (r, s), channels c of
//                                   src(j, q, r, s)[g*icg + c] * w[g*ocg + o][c][r][s] )
//
// A block is `block_groups` groups g, at most VL / max(icg, ocg) of them. Their input channels are
// one vector, loaded once per pixel; for channel c its permutation by lanes[c], in which lane g*ocg + o
// holds channel g*icg + c, feeds every output of which the pixel is a tap.
//
// Packed weights (all rows of a kernel; VL = info.tile_cols; +0 in lanes without a channel):
//
//     block 0: [bias][w(0,0,c0)][w(0,0,c1)] ... [w(kh-1,kw-1,icg-1)]      VL floats each
//     block 1: ...
//
// Block b holds groups from min(b*block_groups, groups - block_groups) on: the last block overlaps
// the one before. Nothing past the channels of `groups` is read; in dst a block that is not the
// last may write what the next one overwrites.
#pragma once
#include <cstdint>

#include "kernels/strip/strip.h"

namespace pyconv {

struct GroupedStrip : ConvStrip {
  std::int64_t groups = 0, block_groups = 1, icg = 1, ocg = 1;
  const std::int32_t* lanes = nullptr;  // [icg][VL]
  const float* weights = nullptr;
};
using GroupedStripFn = void (*)(const GroupedStrip&);

struct GroupedKernel {
  KernelInfo info;  // tile_rows: output columns of the tile; tile_cols: VL
  StripShape shape;
  GroupedStripFn one_row;  // the same with one output row
  GroupedStripFn all_rows;
};

const std::vector<GroupedKernel>& grouped_kernels();
const std::vector<const KernelInfo*>& grouped_registry();

}  // namespace pyconv
