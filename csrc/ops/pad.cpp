#include "ops/pad.h"

#include <algorithm>
#include <string>

#include "base/status.h"
#include "base/thread_pool.h"

namespace pyconv {

namespace {

constexpr std::int64_t kRowFloats = 1 << 14;    // floats of one chunk of rows
constexpr std::int64_t kWorthThread = 1 << 17;  // floats for which waking a thread pays

// The source index of padded index i.
inline std::int64_t source_of(std::int64_t i, std::int64_t size, PadMode mode) {
  if (i >= 0 && i < size) return i;
  if (mode == PadMode::reflect) return i < 0 ? -i : 2 * (size - 1) - i;
  return i < 0 ? 0 : size - 1;
}

// One pixel; a call to memmove would cost more than the single float of a plane's pixel.
inline float* put_pixel(const float* from, std::int64_t floats, float* to) {
  if (floats == 1) {
    *to = *from;
    return to + 1;
  }
  return std::copy_n(from, floats, to);
}

void pad_row(const PadProblem& p, const float* src, float* dst) {
  for (std::int64_t x = -p.left; x < 0; ++x)
    dst = put_pixel(src + source_of(x, p.width, p.mode) * p.pixel, p.pixel, dst);
  dst = std::copy_n(src, p.width * p.pixel, dst);
  for (std::int64_t x = p.width; x < p.width + p.right; ++x)
    dst = put_pixel(src + source_of(x, p.width, p.mode) * p.pixel, p.pixel, dst);
}

void fill(float* first, float* last, float value) {
  for (; first != last; ++first) *first = value;
}

// Rows [first, last) of all planes, counted through. Borders meet at the ends of rows: each gap
// between two copied rows is filled at once.
void pad_rows_constant(const PadProblem& p, std::int64_t first, std::int64_t last, const float* src,
                       float* dst) {
  const std::int64_t rows = p.top + p.height + p.bottom, middle = p.width * p.pixel;
  const std::int64_t left = p.left * p.pixel, row = left + middle + p.right * p.pixel;
  float* written = dst + first * row;
  for (std::int64_t r = first; r < last; ++r) {
    const std::int64_t y = r % rows - p.top;
    if (y < 0 || y >= p.height) continue;
    float* to = dst + r * row + left;
    fill(written, to, p.value);
    written = std::copy_n(src + (r / rows * p.height + y) * middle, middle, to);
  }
  fill(written, dst + last * row, p.value);
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
  const int threads = worthwhile_threads(static_cast<double>(n), kWorthThread, p.threads);
  const std::int64_t group = std::max<std::int64_t>(1, kRowFloats / row);
  const std::int64_t all = p.planes * rows;
  parallel_for((all + group - 1) / group, threads, [&](std::int64_t chunk, int) {
    const std::int64_t first = chunk * group, last = std::min(all, first + group);
    if (p.mode == PadMode::constant) return pad_rows_constant(p, first, last, src, dst);
    for (std::int64_t r = first; r < last; ++r) {
      const std::int64_t y = source_of(r % rows - p.top, p.height, p.mode);
      pad_row(p, src + (r / rows * p.height + y) * p.width * p.pixel, dst + r * row);
    }
  });
}

}  // namespace pyconv
