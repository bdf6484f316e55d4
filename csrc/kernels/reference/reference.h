// The textbook loops: one output at a time, no packing, no reuse. The meaning of the exact mode in
// C++ and the lowest rung of the ladder.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct ReferenceConv {
  std::int64_t mb, oc, oh, ow, icg, ocg, ih, iw, kh, kw, sh, sw, dh, dw, pt, pl;
  // Strides in floats, so that one loop serves both layouts.
  std::int64_t src_image, src_channel, src_row, src_pixel;
  std::int64_t dst_image, dst_channel, dst_row, dst_pixel;
  const float* src;
  const float* weight;  // (oc, ic/g, kh, kw)
  const float* bias;    // oc floats or null
  float* dst;
  float lo, hi;
};
// Computes output row `y` of channel `q` of image `n`.
using ReferenceFn = void (*)(const ReferenceConv&, std::int64_t n, std::int64_t q, std::int64_t y);

struct ReferenceKernel {
  KernelInfo info;
  ReferenceFn row;
};

const std::vector<ReferenceKernel>& reference_kernels();

}  // namespace pyconv
