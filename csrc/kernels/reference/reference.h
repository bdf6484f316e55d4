// The textbook loops: one output at a time, no packing, no reuse. The meaning of the exact mode in
// C++ and the lowest rung of the ladder.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

// Strides in floats, so that one loop serves both layouts.
struct ReferenceStrides {
  std::int64_t image, channel, row, pixel;
};

struct ReferenceConv {
  std::int64_t mb, oc, oh, ow, icg, ocg, ih, iw, kh, kw, sh, sw, dh, dw, pt, pl;
  ReferenceStrides src_at, dst_at, residual_at;
  const float* src;
  const float* weight;    // (oc, ic/g, kh, kw)
  const float* bias;      // oc floats or null
  const float* residual;  // added after the chain; may be null
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
