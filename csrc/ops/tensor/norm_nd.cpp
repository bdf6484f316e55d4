#include "ops/tensor/norm_nd.h"

#include <algorithm>
#include <cmath>

#include "base/thread_pool.h"
#include "ops/extents.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr int kSums = 16;

template <class Term>
float sum_of(const float* x, std::int64_t n, const Term& term) {
  float sums[kSums] = {};
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int j = 0; j < kSums; ++j) sums[j] += term(x[i + j]);
  for (int j = 0; i + j < n; ++j) sums[j] += term(x[i + j]);
  for (int half = kSums / 2; half >= 1; half /= 2)
    for (int j = 0; j < half; ++j) sums[j] += sums[j + half];
  return sums[0];
}

}  // namespace

void instance_norm(std::int64_t images, std::int64_t channels, std::int64_t pixels, float eps,
                   const float* x, const float* scale, const float* bias, float* y, int threads) {
  if (images * channels * pixels == 0) return;
  const FpEnvScope fp_env;
  const float count = static_cast<float>(pixels);
  threads = threads_for(static_cast<double>(images * channels * pixels), threads);
  parallel_for(images * channels, threads, [&](std::int64_t plane, int) {
    const float* from = x + plane * pixels;
    float* to = y + plane * pixels;
    const std::int64_t c = plane % channels;
    const float mean = sum_of(from, pixels, [](float v) { return v; }) / count;
    const float var = sum_of(from, pixels, [mean](float v) { return (v - mean) * (v - mean); }) / count;
    const float factor = scale[c] / std::sqrt(var + eps), shift = bias[c];
    for (std::int64_t i = 0; i < pixels; ++i) to[i] = (from[i] - mean) * factor + shift;
  });
}

}  // namespace pyconv
