// Pooling. Windowed, over output rows [row0, row1) of one image (NHWC) or one plane (NCHW):
//
//     max   dst[y][x] = max over the taps (r, s) inside the image + 0.0f, NaN if one of them is NaN,
//                       -inf if there are none. The order of comparison does not show: +0 stands
//                       for both zeros.
//     avg   dst[y][x] = (+0 + src[tap] + ...) / divisor, one chain of additions over the taps inside
//                       the image in (r, s) order, then one IEEE division
//
// where tap (r, s) of output (y, x) is src[y*sh - ph + r*dh][x*sw - pw + s*dw]. The divisor counts
// the taps inside the image, or those inside image and padding (include_pad), or is given.
//
// Global, over `pixels` pixels per channel:
//
//     max   likewise
//     avg   16 partial sums from +0, pixel i added to sum i mod 16 in rising order; then sum j takes
//           sum j + 8 (j < 8), j + 4 (j < 4), 2, 1; then one IEEE division by the number of pixels
//
// NHWC kernels vectorise over channels, NCHW kernels along the width: these take strides up to 2 there
// (kPoolPlaneMaxStride), and copy planes that need padding into `scratch` first.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct PoolImage {
  const float* src = nullptr;  // first element of the image (NHWC) or first plane (NCHW)
  float* dst = nullptr;
  std::int64_t channels = 1;   // NHWC, with these floats from pixel to pixel:
  std::int64_t src_pixel = 1, dst_pixel = 1;
  std::int64_t planes = 1;     // NCHW: so many planes, densely one after the other
  const float* end = nullptr;  // NCHW: loads may reach from src up to here
  float* scratch = nullptr;    // NCHW: pool_scratch_floats()
  std::int64_t ih = 0, iw = 0, oh = 0, ow = 0;
  std::int64_t kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1, ph = 0, pw = 0;
  std::int64_t row0 = 0, row1 = 0;
  bool streams = false;  // NHWC: src comes from beyond L2
  bool include_pad = true;  // avg
  float divisor = 0.0f;     // avg: 0 to count
};
using PoolFn = void (*)(const PoolImage&);

// Channels [first, last) of one image: src[i * pixel_stride + c], or src[c * pixels + i] for NCHW, to
// dst[c].
struct PoolGlobal {
  const float* src = nullptr;
  float* dst = nullptr;
  std::int64_t pixels = 0, pixel_stride = 0;
  std::int64_t first = 0, last = 0;
};
using PoolGlobalFn = void (*)(const PoolGlobal&);

enum class PoolKind : std::uint8_t { max, avg };

struct PoolKernel {
  KernelInfo info;
  PoolKind kind;
  bool nhwc;
  PoolFn window;        // null in the rows of global pooling
  PoolGlobalFn global;  // null in the rows of windowed pooling
};

// All rows of pool_kernels.inc that this build holds, best ISA first.
const std::vector<PoolKernel>& pool_kernels();

constexpr std::int64_t kPoolPlaneMaxStride = 2;

// The padded rows of one plane that the output rows [row0, row1) of `image` need, in the scratch of
// NCHW rows: every window inside, and room for whole vectors of any ISA.
struct PoolBand {
  std::int64_t rows, stride;
};
PoolBand pool_band(const PoolImage& image);
std::int64_t pool_scratch_floats(const PoolImage& image);

}  // namespace pyconv
