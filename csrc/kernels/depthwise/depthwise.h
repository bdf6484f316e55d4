// Depthwise convolution micro-kernels: one or two output rows, a few output columns and VL channels
// in registers,
//
//     dst[j][q][c] = clamp( bias[c] + sum over (r, s) of
//         rows[j*stride + r][origin + (q*stride + s)*src_step + c] * w[r][s][c] )
//
// for out_rows rows j, `count` columns q and `channels` channels c. One load of the source feeds
// every (j, q) that it is a tap of. A dilated convolution is one strip per residue of its columns,
// with src_step dilated, so that it reuses loads like a dense one.
//
// Packed weights (all rows of a kernel; VL = info.tile_cols):
//
//     block 0: [bias of VL channels][w(0,0)][w(0,1)] ... [w(kh-1,kw-1)]      VL floats each
//     block 1: ...
//
// Block b holds channels from min(b*VL, channels - VL) on: the last block overlaps the one before
// (the shared channels are computed twice, to the same bits) rather than being masked. With fewer
// than VL channels there is one block, masked, whose missing weights are +0.
//
// Summation: per output one chain of FMAs in rising (r, s) from the bias, + 0.0f, residual, clamp.
// Taps outside the image are +0 and take part, or are left out where `skip_padding` says that all
// weights are finite. Nothing outside [first, last) of a row, or past `channels`, is read.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct DepthwiseStrip {
  const float* const* rows = nullptr;  // input rows of the tile's filters; null: in the padding
  std::int64_t origin = 0;             // floats from rows[i] to tap 0; may be negative
  std::int64_t src_step = 0;           // floats from one tap to the next
  std::int64_t first = 0, last = 0;    // taps of a row inside the image, counted from origin
  std::int64_t kh = 1, kw = 1, stride = 1;
  std::int64_t count = 0;     // output columns
  std::int64_t channels = 0;
  const float* weights = nullptr;
  bool skip_padding = false;
  bool padded_rows = false;   // some of rows are null
  float* dst = nullptr;
  const float* residual = nullptr;  // laid out like dst; may be null
  std::int64_t dst_row = 0, dst_col = 0;
  float lo = 0, hi = 0;
  bool clamped = true;        // false: lo and hi are infinite
};
using DepthwiseStripFn = void (*)(const DepthwiseStrip&);

struct DepthwiseKernel {
  KernelInfo info;           // tile_rows: output columns of the tile; tile_cols: VL
  int out_rows;              // output rows of the tile
  int kh, kw, stride;        // the only ones it takes; 0: any
  DepthwiseStripFn one_row;  // out_rows = 1
  DepthwiseStripFn all_rows;
};

const std::vector<DepthwiseKernel>& depthwise_kernels();
const std::vector<const KernelInfo*>& depthwise_registry();

}  // namespace pyconv
