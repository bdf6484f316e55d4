// Conversion between the layouts of the interface (NCHW) and of the inside (NHWC).
#pragma once
#include <cstdint>

namespace pyconv {

// dst[n][x][c] = src[n][c][x], x running over the `pixels` of one image.
void nchw_to_nhwc(const float* src, float* dst, std::int64_t images, std::int64_t channels,
                  std::int64_t pixels, int threads);
// dst[n][c][x] = src[n][x][c].
void nhwc_to_nchw(const float* src, float* dst, std::int64_t images, std::int64_t channels,
                  std::int64_t pixels, int threads);

}  // namespace pyconv
