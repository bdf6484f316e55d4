#include "ops/norm.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/lrn/lrn.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kPixels = 1024;          // of one chunk where channels are planes
constexpr std::int64_t kChunk = 1 << 13;        // floats of one chunk where channels are last
constexpr std::int64_t kWorthThread = 1 << 14;  // floats for which waking a thread pays

// What does not change from call to call.
LrnArgs lrn_args(const LrnProblem& p) {
  LrnArgs args;
  args.scale = static_cast<float>(p.alpha / static_cast<double>(p.size));
  args.k = static_cast<float>(p.k);
  args.beta = static_cast<float>(p.beta);
  return args;
}

void lrn_planes(const LrnProblem& p, LrnFn fn, const float* src, float* dst, int threads) {
  const std::int64_t blocks = (p.pixels + kPixels - 1) / kPixels;
  parallel_for(p.images * blocks, threads, [&](std::int64_t chunk, int) {
    const std::int64_t first = chunk % blocks * kPixels;
    const std::int64_t image = chunk / blocks * p.channels * p.pixels + first;
    LrnArgs args = lrn_args(p);
    args.n = std::min(kPixels, p.pixels - first);
    args.stride = p.pixels;
    for (std::int64_t c = 0; c < p.channels; ++c) {
      const std::int64_t from = std::max<std::int64_t>(0, c - p.size / 2);
      const std::int64_t to = std::min(p.channels - 1, c + (p.size - 1) / 2);
      args.count = to - from + 1;
      args.window = src + image + from * p.pixels;
      args.src = src + image + c * p.pixels;
      args.dst = dst + image + c * p.pixels;
      fn(args);
    }
  });
}

// Pixels whose channels are copied together: a load that spans two fresh stores would wait for them.
constexpr std::int64_t kCopied = 8;

// A pixel's channels are copied between zeros, which leave the sum as it is.
void lrn_rows(const LrnProblem& p, LrnFn fn, const float* src, float* dst, int threads) {
  const std::int64_t before = std::min(p.size / 2, p.channels);
  const std::int64_t after = std::min((p.size - 1) / 2, p.channels);
  const std::int64_t padded = before + p.channels + after, rows = p.images * p.pixels;
  const std::int64_t group = std::max<std::int64_t>(1, kChunk / p.channels);
  std::vector<float> scratch(static_cast<std::size_t>(threads * kCopied * padded), 0.0f);
  parallel_for((rows + group - 1) / group, threads, [&](std::int64_t chunk, int worker) {
    float* windows = scratch.data() + worker * kCopied * padded;
    LrnArgs args = lrn_args(p);
    args.n = p.channels;
    args.stride = 1;
    args.count = before + 1 + after;
    const std::int64_t last = std::min(rows, (chunk + 1) * group);
    for (std::int64_t r0 = chunk * group; r0 < last; r0 += kCopied) {
      const std::int64_t copied = std::min(kCopied, last - r0);
      for (std::int64_t i = 0; i < copied; ++i)
        std::copy_n(src + (r0 + i) * p.channels, p.channels, windows + i * padded + before);
      for (std::int64_t i = 0; i < copied; ++i) {
        args.window = windows + i * padded;
        args.src = src + (r0 + i) * p.channels;
        args.dst = dst + (r0 + i) * p.channels;
        fn(args);
      }
    }
  });
}

}  // namespace

FoldedNorm fold_batch_norm(const float* mean, const float* var, const float* weight,
                           const float* bias, double eps, std::int64_t channels) {
  FoldedNorm folded;
  folded.scale.reserve(static_cast<std::size_t>(channels));
  folded.shift.reserve(static_cast<std::size_t>(channels));
  for (std::int64_t c = 0; c < channels; ++c) {
    const double gain = weight ? static_cast<double>(weight[c]) : 1.0;
    const double scale = gain / std::sqrt(static_cast<double>(var[c]) + eps);
    const double offset = bias ? static_cast<double>(bias[c]) : 0.0;
    folded.scale.push_back(static_cast<float>(scale));
    folded.shift.push_back(static_cast<float>(offset - static_cast<double>(mean[c]) * scale));
  }
  return folded;
}

void lrn(const LrnProblem& p, const float* src, float* dst) {
  if (p.size < 1) throw InvalidArgument("size: expected 1 or more, got " + std::to_string(p.size));
  if (!(std::abs(p.beta) <= 1e6))
    throw InvalidArgument("beta: expected a number between -10^6 and 10^6, got " +
                          std::to_string(p.beta));
  const std::int64_t n = p.images * p.channels * p.pixels;
  if (n == 0) return;
  if (p.beta == 0.0) {
    std::copy_n(src, n, dst);
    return;
  }
  const FpEnvScope fp_env;
  const int threads = worthwhile_threads(static_cast<double>(n), kWorthThread, p.threads);
  const bool rows = p.channels_last || p.pixels == 1;
  (rows ? lrn_rows : lrn_planes)(p, lrn_kernel(p.cap).run, src, dst, threads);
}

}  // namespace pyconv
