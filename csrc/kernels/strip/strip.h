// What the depthwise and the grouped micro-kernels have in common: a strip is a few output rows of a
// convolution over NHWC data, computed tile by tile of a few columns, channels in the lanes.
//
//     tap (r, s) of output column q in output row j is the pixel
//         rows[j*stride + r][origin + (q*stride + s)*src_step]
//
// One load of the source feeds every output that it is a tap of. A dilated convolution is one strip
// per residue of its columns, with src_step dilated, so that it reuses loads like a dense one.
//
// Summation: per output one chain of FMAs in rising (r, s, channel) from the bias, + 0.0f, residual,
// clamp. Taps outside the image are +0 and take part, or are left out where `skip_padding` says that
// all weights are finite. Nothing outside the taps [first, last) of a row is read.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct ConvStrip {
  const float* const* rows = nullptr;  // input rows of the filters; null: in the padding
  std::int64_t origin = 0;             // floats from rows[i] to tap 0; may be negative
  std::int64_t src_step = 0;           // floats from one tap to the next
  std::int64_t first = 0, last = 0;    // taps of a row inside the image, counted from tap 0
  std::int64_t kh = 1, kw = 1, stride = 1;
  std::int64_t out_rows = 1;
  std::int64_t count = 0;  // output columns
  bool skip_padding = false;
  bool padded_rows = false;  // some of rows are null
  float* dst = nullptr;
  const float* residual = nullptr;  // may be null
  std::int64_t dst_row = 0, dst_col = 0, residual_row = 0, residual_col = 0;
  float lo = 0, hi = 0;
  bool clamped = true;  // false: lo and hi are infinite
};

// What a row of either family says of itself beside KernelInfo.
struct StripShape {
  int out_rows;        // output rows of the tile; 0: as many as the strip has
  int kh, kw, stride;  // the only ones it takes; 0: any
};

}  // namespace pyconv
