#include "ops/layout.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "ops/extents.h"

namespace pyconv {

namespace {

// Floats of one block: source and destination stay in L2 together.
constexpr std::int64_t kBlockFloats = 16384;
constexpr std::int64_t kMultiple = 64;  // of the longer side of a block: whole lines, whole tiles
struct Blocking {
  std::int64_t rows, cols;
};

// A block has all rows when they are few, else all columns when those are few, else a square. Rows
// of dst that lie a multiple of 1 KiB apart share a few cache sets: then only so many columns as
// these hold. (Zen 5, 2026-11: 512 channels of 28x28 to NHWC 31 -> 89 GB/s, 64 of 128x128 to NCHW
// 20 -> 78 GB/s, where a copy makes 110 and 130.)
Blocking block_of(std::int64_t rows, std::int64_t cols) {
  const auto other = [](std::int64_t side) {
    return std::max(kMultiple, kBlockFloats / side / kMultiple * kMultiple);
  };
  constexpr std::int64_t few = kBlockFloats / kMultiple;
  if (rows % 256 == 0 && cols > 8) {
    const std::int64_t narrow = rows % 4096 == 0 ? 8 : 16;
    return {std::min(rows, kBlockFloats / narrow), narrow};
  }
  if (rows <= few) return {rows, std::min(cols, other(rows))};
  if (cols <= few) return {std::min(rows, other(cols)), cols};
  return {few, kMultiple};
}

}  // namespace

const TransposeKernel* find_transpose(Isa cap, const std::string& name) {
  for (const TransposeKernel& kernel : transpose_kernels())
    if (isa_allowed(kernel.info.isa, cap) && (name.empty() || name == kernel.info.name))
      return &kernel;
  return nullptr;
}

void transpose(const TransposeKernel& kernel, const float* src, float* dst, std::int64_t images,
               std::int64_t rows, std::int64_t cols, TransposeStrides strides, int threads) {
  const std::int64_t size = rows * cols;
  if (images == 0 || size == 0) return;
  if ((rows == 1 || cols == 1) && strides.src == cols && strides.dst == rows) {
    std::memcpy(dst, src, static_cast<std::size_t>(images * size) * sizeof(float));
    return;
  }
  const Blocking block = block_of(rows, cols);
  const std::int64_t row_blocks = (rows + block.rows - 1) / block.rows;
  const std::int64_t col_blocks = (cols + block.cols - 1) / block.cols;
  threads = threads_for(static_cast<double>(images * size) / 3.0, threads);
  parallel_for(images * row_blocks * col_blocks, threads, [&](std::int64_t index, int) {
    const std::int64_t c = index % col_blocks * block.cols;
    const std::int64_t r = index / col_blocks % row_blocks * block.rows;
    const std::int64_t image = index / (col_blocks * row_blocks);
    kernel.run({src + (image * rows + r) * strides.src + c, strides.src,
                dst + (image * cols + c) * strides.dst + r, strides.dst,
                std::min(block.rows, rows - r), std::min(block.cols, cols - c)});
  });
}

void convert_layout(const float* src, float* dst, Layout to, std::int64_t images,
                    std::int64_t channels, std::int64_t pixels, std::int64_t pixel, Isa cap,
                    int threads) {
  const TransposeKernel& kernel = *find_transpose(cap);
  const std::int64_t step = pixel ? pixel : channels;
  if (to == Layout::nhwc)
    transpose(kernel, src, dst, images, channels, pixels, {pixels, step}, threads);
  else
    transpose(kernel, src, dst, images, pixels, channels, {step, pixels}, threads);
}

}  // namespace pyconv
