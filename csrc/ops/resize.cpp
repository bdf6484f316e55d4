#include "ops/resize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/resize/resize.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kRowFloats = 1 << 14;    // least floats of one chunk of output rows
constexpr std::int64_t kWidePixel = 64;         // floats from which a pixel is worth a kernel call
constexpr std::int64_t kWorthThread = 1 << 16;  // floats for which waking a thread pays

std::int64_t nearest_index(const ResizeAxis& axis, std::int64_t i) {
  if (axis.factor == 0.0) return i * axis.size / axis.out;
  const double position = std::floor(static_cast<double>(i) / axis.factor);
  return position < static_cast<double>(axis.size) ? static_cast<std::int64_t>(position)
                                                   : axis.size - 1;
}

// Neighbours low and high, and the weight of high.
struct Tap {
  std::int64_t low, high;
  float weight;
};

Tap linear_tap(const ResizeAxis& axis, std::int64_t i, bool align_corners) {
  const double size = static_cast<double>(axis.size), out = static_cast<double>(axis.out);
  const double centre = static_cast<double>(i) + 0.5;
  double position = 0.0;
  if (!align_corners)
    position = (axis.factor == 0.0 ? centre * size / out : centre / axis.factor) - 0.5;
  else if (axis.out > 1)
    position = static_cast<double>(i) * (size - 1.0) / (out - 1.0);
  position = std::min(std::max(position, 0.0), size - 1.0);
  const std::int64_t low = static_cast<std::int64_t>(position);
  return {low, std::min(low + 1, axis.size - 1),
          static_cast<float>(position - static_cast<double>(low))};
}

template <class Body>
void for_row_chunks(const ResizeProblem& p, std::int64_t row, int threads, const Body& body) {
  const std::int64_t rows = p.planes * p.height.out;
  // Four chunks a thread: a chunk starts without the rows that the one before it interpolated.
  const std::int64_t share = threads > 1 ? rows / (4 * threads) : rows;
  const std::int64_t group = std::max<std::int64_t>({1, kRowFloats / row, share});
  parallel_for((rows + group - 1) / group, threads, [&](std::int64_t chunk, int worker) {
    body(chunk * group, std::min(rows, (chunk + 1) * group), worker);
  });
}

void resize_nearest(const ResizeProblem& p, const float* src, float* dst, int threads) {
  const std::int64_t row = p.width.out * p.pixel;
  std::vector<std::int64_t> columns;
  for (std::int64_t x = 0; x < p.width.out; ++x)
    columns.push_back(nearest_index(p.width, x) * p.pixel);
  for_row_chunks(p, row, threads, [&](std::int64_t first, std::int64_t last, int) {
    const float* previous = nullptr;
    for (std::int64_t r = first; r < last; ++r) {
      const std::int64_t y = nearest_index(p.height, r % p.height.out);
      const float* from = src + (r / p.height.out * p.height.size + y) * p.width.size * p.pixel;
      float* to = dst + r * row;
      if (from == previous) {
        std::copy_n(to - row, row, to);
      } else if (p.pixel == 1) {
        for (const std::int64_t column : columns) *to++ = from[column];
      } else {
        for (std::size_t x = 0; x < columns.size(); ++x, to += p.pixel)
          std::copy_n(from + columns[x], p.pixel, to);
      }
      previous = from;
    }
  });
}

// One worker's source rows, interpolated along the width: the two that output rows lie between, kept
// from one output row to the next.
class LinearRows {
 public:
  LinearRows(const ResizeProblem& p, const LerpFns& fns) : p_(p), fns_(fns) {
    const std::int64_t row = p.width.out * p.pixel;
    for (std::int64_t x = 0; x < p.width.out; ++x) {
      taps_.push_back(linear_tap(p.width, x, p.align_corners));
      if (p.pixel < kWidePixel)
        weights_.insert(weights_.end(), static_cast<std::size_t>(p.pixel), taps_.back().weight);
    }
    for (std::vector<float>& buffer : rows_) buffer.resize(static_cast<std::size_t>(row));
    if (p.pixel < kWidePixel) low_.resize(static_cast<std::size_t>(row));
  }

  void start() { held_[0] = held_[1] = nullptr; }

  // The row that starts at `from`, in a buffer that is not `other`'s.
  const float* get(const float* from, const float* other) {
    for (int i = 0; i < 2; ++i)
      if (held_[i] == from) return rows_[i].data();
    const int slot = rows_[0].data() == other ? 1 : 0;
    interpolate(from, rows_[slot].data());
    held_[slot] = from;
    return rows_[slot].data();
  }

 private:
  void interpolate(const float* from, float* to) {
    LerpArgs args;
    if (p_.pixel >= kWidePixel) {
      args.n = p_.pixel;
      for (std::size_t x = 0; x < taps_.size(); ++x) {
        args.a = from + taps_[x].low * p_.pixel;
        args.b = from + taps_[x].high * p_.pixel;
        args.w = &taps_[x].weight;
        args.dst = to + static_cast<std::int64_t>(x) * p_.pixel;
        fns_.uniform(args);
      }
      return;
    }
    float* low = low_.data();
    float* high = to;
    for (const Tap& tap : taps_) {
      if (p_.pixel == 1) {
        *low++ = from[tap.low];
        *high++ = from[tap.high];
        continue;
      }
      low = std::copy_n(from + tap.low * p_.pixel, p_.pixel, low);
      high = std::copy_n(from + tap.high * p_.pixel, p_.pixel, high);
    }
    args = {low_.data(), to, weights_.data(), to, p_.width.out * p_.pixel};
    fns_.per_element(args);
  }

  const ResizeProblem& p_;
  const LerpFns& fns_;
  std::vector<Tap> taps_;
  std::vector<float> weights_, low_, rows_[2];
  const float* held_[2] = {nullptr, nullptr};
};

void resize_bilinear(const ResizeProblem& p, const float* src, float* dst, int threads) {
  const LerpFns& fns = *lerp_kernel(p.cap).fns;
  const std::int64_t row = p.width.out * p.pixel, src_row = p.width.size * p.pixel;
  std::vector<LinearRows> workers(static_cast<std::size_t>(threads), LinearRows(p, fns));
  for_row_chunks(p, row, threads, [&](std::int64_t first, std::int64_t last, int worker) {
    LinearRows& rows = workers[static_cast<std::size_t>(worker)];
    rows.start();
    for (std::int64_t r = first; r < last; ++r) {
      const Tap tap = linear_tap(p.height, r % p.height.out, p.align_corners);
      const float* plane = src + r / p.height.out * p.height.size * src_row;
      LerpArgs args;
      args.a = rows.get(plane + tap.low * src_row, nullptr);
      args.b = rows.get(plane + tap.high * src_row, args.a);
      args.w = &tap.weight;
      args.dst = dst + r * row;
      args.n = row;
      fns.uniform(args);
    }
  });
}

}  // namespace

void resize(const ResizeProblem& problem, const float* src, float* dst) {
  const std::int64_t n =
      problem.planes * problem.height.out * problem.width.out * problem.pixel;
  if (n == 0) return;
  const FpEnvScope fp_env;
  const int threads =
      worthwhile_threads(static_cast<double>(n), kWorthThread, problem.threads);
  (problem.mode == ResizeMode::nearest ? resize_nearest : resize_bilinear)(problem, src, dst, threads);
}

}  // namespace pyconv
