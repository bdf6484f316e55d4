#include "ops/layout.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace pyconv {

namespace {

constexpr std::int64_t kBlock = 16;

// dst (cols x rows) = transpose of src (rows x cols), `images` of them.
void transpose(const float* src, float* dst, std::int64_t images, std::int64_t rows,
               std::int64_t cols, int threads) {
  const std::int64_t row_blocks = (rows + kBlock - 1) / kBlock;
  parallel_for(images * row_blocks, threads, [&](std::int64_t index, int) {
    const std::int64_t image = index / row_blocks, r0 = index % row_blocks * kBlock;
    const std::int64_t r1 = std::min(rows, r0 + kBlock);
    const float* from = src + image * rows * cols;
    float* to = dst + image * rows * cols;
    for (std::int64_t c0 = 0; c0 < cols; c0 += kBlock) {
      const std::int64_t c1 = std::min(cols, c0 + kBlock);
      for (std::int64_t c = c0; c < c1; ++c)
        for (std::int64_t r = r0; r < r1; ++r) to[c * rows + r] = from[r * cols + c];
    }
  });
}

}  // namespace

void nchw_to_nhwc(const float* src, float* dst, std::int64_t images, std::int64_t channels,
                  std::int64_t pixels, int threads) {
  transpose(src, dst, images, channels, pixels, threads);
}

void nhwc_to_nchw(const float* src, float* dst, std::int64_t images, std::int64_t channels,
                  std::int64_t pixels, int threads) {
  transpose(src, dst, images, pixels, channels, threads);
}

}  // namespace pyconv
