// Depthwise convolution: one filter per channel, vectors over channels, rows of outputs in strips.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/depthwise/depthwise.h"
#include "ops/conv2d/depthwise_rows.h"
#include "ops/conv2d/strip_plan.h"

namespace pyconv {

namespace {

// Channels that a strip takes along, so that its weights and the rows it shares with the next strip
// stay in L1. Zen 5, 2026-11; again with `python -m benchmarks.bench_layers mobilenet_v1_depthwise`.
constexpr std::int64_t kChannelChunk = 128;

std::int64_t sets_reached(std::int64_t pixel) {
  const std::int64_t line = 64, sets = 64, bytes = pixel * static_cast<std::int64_t>(sizeof(float));
  return bytes % line ? sets : sets / std::gcd(bytes / line, sets);
}

// Output rows down which a walking kernel keeps to one column of tiles; 0 where walking does not pay.
// All lines of one block of channels have to stay in L1 until the next block, for the prefetcher
// fetches the lines beside. A pixel stride of many powers of two leaves few cache sets to them. Zen 5
// (64 sets of 12 ways, 2026-11): half the ways hold the 16 lines of each output row, and 18 more.
std::int64_t walking_height(const Conv2dProblem& p, const Conv2dRequest& request) {
  const int threads = request.threads;
  const PixelStrides pixel(p, request);
  const std::int64_t reached = std::min(sets_reached(pixel.src), sets_reached(pixel.dst));
  std::int64_t height = std::min<std::int64_t>(14, (6 * reached - 18) / 16);
  while (threads > 1 && height > 4 && p.mb * p.oh() < 4 * threads * height) --height;
  return height < 4 ? 0 : height;
}

const DepthwiseKernel* pick(const Conv2dProblem& p, const Conv2dRequest& request) {
  const bool walks = walking_height(p, request) > 0;
  return pick_strip_row(depthwise_kernels(), p, request, [&](const DepthwiseKernel& row) {
    return row.shape.out_rows > 0 || walks;
  });
}

class DepthwiseConv final : public Conv2dImpl, public DepthwiseRows {
 public:
  // tallest: output rows of a group, at most.
  DepthwiseConv(const Conv2dProblem& p, const Conv2dRequest& request, const DepthwiseKernel& kernel,
                const float* weight, const float* bias, std::int64_t tallest = kMostStripRows)
      : p_(p), activation_(request.activation), cap_(request.max_isa), kernel_(kernel),
        strips_(p, request, kernel.shape,
                std::min(tallest, std::max<std::int64_t>(2, walking_height(p, request)))),
        lanes_(kernel.info.tile_cols) {
    pack(weight, bias);
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const std::int64_t groups = strips_.row_groups();
    parallel_for(p_.mb * groups, run.threads, [&](std::int64_t index, int) {
      run_group(run, index / groups, index % groups);
    });
  }

  std::size_t workspace_bytes() const override { return 0; }
  std::size_t packed_bytes() const override { return weights_.bytes(); }
  std::string kernels() const override { return kernel_.info.name; }

  std::int64_t groups() const override { return strips_.row_groups(); }
  RowRange rows(std::int64_t group) const override {
    return {strips_.first_row_of(group), strips_.first_row_of(group) + strips_.rows_of(group)};
  }
  void run_rows(const float* const* src_rows, std::int64_t group, float* dst) const override {
    Conv2dRun run;
    run.src_rows = src_rows;
    run.dst = dst;
    run.dst_row0 = strips_.first_row_of(group);
    run_group(run, 0, group);
  }
  std::size_t bytes() const override { return packed_bytes(); }
  const char* kernel() const override { return kernel_.info.name; }

 private:
  std::int64_t block_floats() const { return (1 + p_.taps()) * lanes_; }

  void pack(const float* weight, const float* bias) {
    const std::int64_t blocks = (p_.oc + lanes_ - 1) / lanes_;
    weights_ = AlignedBuffer(static_cast<std::size_t>(blocks * block_floats()) * sizeof(float));
    float* to = weights_.floats();
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t c0 = std::max<std::int64_t>(0, std::min(b * lanes_, p_.oc - lanes_));
      for (std::int64_t k = -1; k < p_.taps(); ++k) {
        for (std::int64_t c = c0; c < c0 + lanes_; ++c) {
          float value = 0.0f;
          if (c < p_.oc) value = k < 0 ? (bias ? bias[c] : 0.0f) : weight[c * p_.taps() + k];
          finite_ = finite_ && (k < 0 || std::isfinite(value));
          *to++ = value;
        }
      }
    }
  }

  void run_group(const Conv2dRun& run, std::int64_t image, std::int64_t group) const {
    const float* rows[kRowTable];
    DepthwiseStrip strip;
    strips_.begin_group(run, image, group, &strip, rows);
    set_clamp(activation_, &strip);
    strip.skip_padding = finite_;
    const auto kernel = strips_.rows_of(group) == 1 ? kernel_.one_row : kernel_.all_rows;
    for (std::size_t residue = 0; residue < strips_.column_residues(); ++residue) {
      for (std::int64_t c = 0; c < p_.oc; c += strip.channels) {
        // A rest below one vector would have to be masked: it goes with the chunk before.
        strip.channels = p_.oc - c < kChannelChunk + lanes_ ? p_.oc - c : kChannelChunk;
        strip.weights = weights_.floats() + c / lanes_ * block_floats();
        strips_.set_columns(run, image, group, residue, c, c, &strip);
        kernel(strip);
      }
    }
    if (!activation_.is_clamp()) strips_.activate(run, activation_, cap_, image, group);
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  const DepthwiseKernel& kernel_;
  StripPlan strips_;
  std::int64_t lanes_;
  AlignedBuffer weights_;
  bool finite_ = true;
};

}  // namespace

Verdict consider_depthwise(const Conv2dProblem& p, const Conv2dRequest& request) {
  if (p.icg() != 1 || p.ocg() != 1)
    return refuse("groups=" + std::to_string(p.g) + " of " + std::to_string(p.icg()) +
                  " input and " + std::to_string(p.ocg()) +
                  " output channels; it takes one channel per group");
  const DepthwiseKernel* kernel = pick(p, request);
  if (!kernel) return refuse(no_strip_row_reason("depthwise", p, request));
  const double lanes = kernel->info.tile_cols;
  const double vectors = std::ceil(static_cast<double>(p.oc) / lanes) *
                         static_cast<double>(p.mb * p.oh() * p.ow());
  const double per_tap = 100.0 / (fmas_per_cycle(kernel->info.isa) * kernel->info.efficiency);
  return {true, "", vectors * (static_cast<double>(p.taps()) * per_tap + 2.0) + 100.0, 0};
}

std::unique_ptr<Conv2dImpl> make_depthwise(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  return std::make_unique<DepthwiseConv>(p, request, *pick(p, request), weight, bias);
}

std::unique_ptr<DepthwiseRows> make_depthwise_rows(const Conv2dProblem& p,
                                                   const Conv2dRequest& request, const float* weight,
                                                   const float* bias, std::int64_t tallest) {
  return std::make_unique<DepthwiseConv>(p, request, *pick(p, request), weight, bias, tallest);
}

}  // namespace pyconv
