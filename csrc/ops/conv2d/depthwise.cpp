// Depthwise convolution: one filter per channel, vectors over channels, rows of outputs in strips.
#include <algorithm>
#include <cmath>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/depthwise/depthwise.h"
#include "ops/conv2d/strip_plan.h"

namespace pyconv {

namespace {

// Channels that a strip takes along, so that its weights and the rows it shares with the next strip
// stay in L1. Zen 5: 128; `python -m benchmarks.bench_layers mobilenet_v1_depthwise` measures it again.
constexpr std::int64_t kChannelChunk = 128;

class DepthwiseConv final : public Conv2dImpl {
 public:
  DepthwiseConv(const Conv2dProblem& p, const Conv2dRequest& request, const DepthwiseKernel& kernel,
                const float* weight, const float* bias)
      : p_(p), activation_(request.activation), cap_(request.max_isa), kernel_(kernel),
        strips_(p, kernel.shape), lanes_(kernel.info.tile_cols) {
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
    const float* rows[kMostStripRows + 8];
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
  const DepthwiseKernel* kernel = pick_strip_row(depthwise_kernels(), p, request);
  if (!kernel) return refuse(no_strip_row_reason("depthwise", p, request));
  const double lanes = kernel->info.tile_cols;
  const double vectors = std::ceil(static_cast<double>(p.oc) / lanes) *
                         static_cast<double>(p.mb * p.oh() * p.ow());
  const double per_tap = 50.0 / kernel->info.efficiency;
  return {true, "", vectors * (static_cast<double>(p.taps()) * per_tap + 2.0) + 100.0, 0};
}

std::unique_ptr<Conv2dImpl> make_depthwise(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  return std::make_unique<DepthwiseConv>(
      p, request, *pick_strip_row(depthwise_kernels(), p, request), weight, bias);
}

}  // namespace pyconv
