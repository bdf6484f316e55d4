#include "ops/conv2d/winograd_weights.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/winograd/winograd.h"

namespace pyconv {

namespace {

constexpr int kWidest = 64;  // columns transformed at once: one panel
constexpr int kMostElements = 64;
constexpr int kMostTaps = 5;
constexpr std::int64_t kChannelBlock = 32;

// G of F(m, taps) as the scales of its rows: the outer ones, and the one of each pair. With stride 2 the pairs see
// the even taps alone, which come first, and the last row is the odd tap.
struct FilterTransform {
  int taps, pairs, terms;
  double first, point[3], scale[3];

  FilterTransform(int taps_, int pairs_, int stride)
      : taps(taps_), pairs(pairs_), terms(stride == 1 ? taps_ : 2), first(1.0), point(), scale() {
    const float* points = winograd_points(pairs, stride);
    for (int i = 0; i < pairs; ++i) {
      point[i] = points[i];
      first /= -point[i] * point[i];
      scale[i] = 2.0 * point[i] * point[i];
    }
    for (int i = 0; i < pairs; ++i) {
      for (int j = 0; j < pairs; ++j)
        if (j != i) scale[i] *= point[i] * point[i] - point[j] * point[j];
      scale[i] = 1.0 / scale[i];
    }
  }

  // out[k] = (G g)[k] for `columns` filters side by side; k lies `out_stride` doubles apart.
  void apply(const double* g, std::int64_t g_stride, double* out, std::int64_t out_stride,
             int columns) const {
    double* last = out + (2 * pairs + 1) * out_stride;
    for (int n = 0; n < columns; ++n) {
      out[n] = g[n] * first;
      last[n] = g[(taps - 1) * g_stride + n];
    }
    for (int i = 0; i < pairs; ++i) {
      double* plus = out + (1 + 2 * i) * out_stride;
      double* minus = plus + out_stride;
      for (int n = 0; n < columns; ++n) {
        double even = 0.0, odd = 0.0;
        for (int k = (terms - 1) / 2 * 2; k >= 0; k -= 2) even = g[k * g_stride + n] + point[i] * point[i] * even;
        for (int k = terms / 2 * 2 - 1; k >= 0; k -= 2) odd = g[k * g_stride + n] + point[i] * point[i] * odd;
        plus[n] = (even + point[i] * odd) * scale[i];
        minus[n] = (even - point[i] * odd) * scale[i];
      }
    }
  }
};

}  // namespace

WinogradWeights::WinogradWeights(int m, int taps, int stride, std::vector<WeightPanel> panels,
                                 std::size_t chunk_panels, std::int64_t channels, std::int64_t oc, const float* weight,
                                 const float* bias, int threads)
    : taps_(taps), pairs_((m + taps - 3) / 2), stride_(stride), panels_(std::move(panels)), channels_(channels) {
  const std::int64_t elements = (m + taps - 1) * (m + taps - 1);
  std::int64_t floats = 0, columns = 0;
  for (std::size_t i = 0; i < panels_.size(); i += chunk_panels) {
    Chunk chunk;
    chunk.panel0 = i;
    chunk.panels = std::min(chunk_panels, panels_.size() - i);
    chunk.first_column = panels_[i].first_column;
    chunk.offset = floats;
    for (std::size_t j = i; j < i + chunk.panels; ++j) {
      panels_[j].offset = chunk.padded_columns;
      chunk.padded_columns += panels_[j].kernel->tile_cols;
      chunk.columns += panels_[j].columns;
    }
    floats += elements * channels * chunk.padded_columns;
    columns += chunk.padded_columns;
    chunks_.push_back(chunk);
  }
  const std::int64_t padded = (columns + kWinogradPad - 1) / kWinogradPad * kWinogradPad;
  data_ = AlignedBuffer(static_cast<std::size_t>(floats) * sizeof(float));
  bias_ = AlignedBuffer(static_cast<std::size_t>(padded) * sizeof(float));
  for (std::int64_t n = 0; n < padded; ++n) bias_.floats()[n] = bias && n < oc ? bias[n] : 0.0f;
  const std::int64_t blocks = (channels + kChannelBlock - 1) / kChannelBlock;
  parallel_for(static_cast<std::int64_t>(panels_.size()) * blocks, threads,
               [&](std::int64_t index, int) {
                 const std::size_t at = static_cast<std::size_t>(index / blocks);
                 const std::int64_t c0 = index % blocks * kChannelBlock;
                 pack(chunks_[at / chunk_panels], panels_[at], c0,
                      std::min(channels, c0 + kChannelBlock), oc, weight);
               });
}

void WinogradWeights::pack(const Chunk& chunk, const WeightPanel& panel, std::int64_t c0, std::int64_t c1,
                           std::int64_t oc, const float* weight) {
  const FilterTransform transform(taps_, pairs_, stride_);
  static constexpr int kPhases[3] = {0, 2, 1};
  const int alpha = 2 * pairs_ + 2, nr = panel.kernel->tile_cols, area = taps_ * taps_;
  double g[kMostTaps * kMostTaps][kWidest], half[kMostTaps][8][kWidest], u[kMostElements][kWidest];
  for (std::int64_t c = c0; c < c1; ++c) {
    for (int n = 0; n < nr; ++n) {
      const std::int64_t column = panel.first_column + n;
      const float* filter = weight + (column * channels_ + c) * area;
      for (int t = 0; t < area; ++t) {
        const int from = stride_ == 1 ? t : 3 * kPhases[t / 3] + kPhases[t % 3];
        g[t][n] = column < oc ? static_cast<double>(filter[from]) : 0.0;
      }
    }
    for (int s = 0; s < taps_; ++s) transform.apply(g[s], taps_ * kWidest, half[s][0], kWidest, nr);
    for (int i = 0; i < alpha; ++i)
      transform.apply(half[0][i], 8 * kWidest, u[i * alpha], kWidest, nr);
    float* out = data_.floats() + chunk.offset + panel.offset * channels_ + c * nr;
    for (int e = 0; e < alpha * alpha; ++e, out += channels_ * chunk.padded_columns)
      for (int n = 0; n < nr; ++n) out[n] = static_cast<float>(u[e][n]);
  }
}

}  // namespace pyconv
