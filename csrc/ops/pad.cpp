#include "ops/pad.h"

#include <algorithm>
#include <string>

#include "base/status.h"
#include "base/thread_pool.h"

namespace pyconv {

namespace {

constexpr std::int64_t kRowFloats = 1 << 14;    // floats of one chunk of rows
constexpr std::int64_t kWorthThread = 1 << 17;  // floats for which waking a thread pays

// The source index of padded index i, -1 for the constant.
std::int64_t source_of(std::int64_t i, std::int64_t size, PadMode mode) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case PadMode::constant: return -1;
    case PadMode::reflect: return i < 0 ? -i : 2 * (size - 1) - i;
    case PadMode::replicate: break;
  }
  return i < 0 ? 0 : size - 1;
}

void pad_row(const PadProblem& p, const float* src, float* dst) {
  if (p.mode == PadMode::constant) {
    std::fill_n(dst, p.left * p.pixel, p.value);
    std::copy_n(src, p.width * p.pixel, dst + p.left * p.pixel);
    std::fill_n(dst + (p.left + p.width) * p.pixel, p.right * p.pixel, p.value);
    return;
  }
  for (std::int64_t x = -p.left; x < 0; ++x, dst += p.pixel)
    std::copy_n(src + source_of(x, p.width, p.mode) * p.pixel, p.pixel, dst);
  std::copy_n(src, p.width * p.pixel, dst);
  dst += p.width * p.pixel;
  for (std::int64_t x = p.width; x < p.width + p.right; ++x, dst += p.pixel)
    std::copy_n(src + source_of(x, p.width, p.mode) * p.pixel, p.pixel, dst);
}

void check_axis(const char* axis, std::int64_t size, std::int64_t before, std::int64_t after,
                PadMode mode) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const std::int64_t least = std::min(before, after), most = std::max(before, after);
  if (least < 0)
    throw InvalidArgument("padding: expected sizes of 0 or more, got " + std::to_string(least));
  if (most > kMost)
    throw InvalidArgument("padding: expected sizes of at most 2^40, got " + std::to_string(most));
  if (mode == PadMode::reflect && most > 0 && most >= size)
    throw InvalidArgument("padding: expected less than the image's " + std::string(axis) + " " +
                          std::to_string(size) + " for mode 'reflect', got " + std::to_string(most));
  if (mode == PadMode::replicate && most > 0 && size == 0)
    throw InvalidArgument("padding: expected 0 for an empty image in mode 'replicate', got " +
                          std::to_string(most));
}

}  // namespace

void validate_pad(const PadProblem& p) {
  check_axis("height", p.height, p.top, p.bottom, p.mode);
  check_axis("width", p.width, p.left, p.right, p.mode);
}

void pad(const PadProblem& p, const float* src, float* dst) {
  const std::int64_t rows = p.top + p.height + p.bottom;
  const std::int64_t row = (p.left + p.width + p.right) * p.pixel;
  const std::int64_t n = p.planes * rows * row;
  if (n == 0) return;
  const int threads = static_cast<int>(std::min<std::int64_t>(p.threads, 1 + n / kWorthThread));
  const std::int64_t group = std::max<std::int64_t>(1, kRowFloats / row);
  parallel_for((p.planes * rows + group - 1) / group, threads, [&](std::int64_t chunk, int) {
    for (std::int64_t r = chunk * group; r < std::min(p.planes * rows, (chunk + 1) * group); ++r) {
      const std::int64_t y = source_of(r % rows - p.top, p.height, p.mode);
      if (y < 0)
        std::fill_n(dst + r * row, row, p.value);
      else
        pad_row(p, src + (r / rows * p.height + y) * p.width * p.pixel, dst + r * row);
    }
  });
}

}  // namespace pyconv
