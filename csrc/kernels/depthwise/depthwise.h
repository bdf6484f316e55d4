// Depthwise convolution micro-kernels: strips (strip.h) with one filter per channel,
//
//     dst[j][q][c] = clamp( bias[c] + sum over taps (r, s) of src(j, q, r, s)[c] * w[r][s][c] )
//
// for `channels` channels c in blocks of VL lanes.
//
// Packed weights (all rows of a kernel; VL = info.tile_cols):
//
//     block 0: [bias of VL channels][w(0,0)][w(0,1)] ... [w(kh-1,kw-1)]      VL floats each
//     block 1: ...
//
// Block b holds channels from min(b*VL, channels - VL) on: the last block overlaps the one before
// (the shared channels are computed twice, to the same bits) rather than being masked. With fewer
// than VL channels there is one block, masked, whose missing weights are +0. Nothing past `channels`
// is read or written.
#pragma once
#include "kernels/strip/strip.h"

namespace pyconv {

struct DepthwiseStrip : ConvStrip {
  std::int64_t channels = 0;
  const float* weights = nullptr;
};
using DepthwiseStripFn = void (*)(const DepthwiseStrip&);

struct DepthwiseKernel {
  KernelInfo info;  // tile_rows: output columns of the tile; tile_cols: VL
  StripShape shape;
  DepthwiseStripFn one_row;  // the same with one output row
  DepthwiseStripFn all_rows;
};

const std::vector<DepthwiseKernel>& depthwise_kernels();
const std::vector<const KernelInfo*>& depthwise_registry();

}  // namespace pyconv
