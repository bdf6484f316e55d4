// Grouped convolution with few channels per group: the lanes of a vector are the output channels of
// several groups, rows of outputs in strips. So runs a depthwise convolution with a multiplier.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/grouped/grouped.h"
#include "ops/conv2d/strip_plan.h"

namespace pyconv {

namespace {

// Weights of the blocks that a strip takes along: they share L1 with its rows.
constexpr std::int64_t kWeightFloats = (16 << 10) / sizeof(float);

std::int64_t block_groups(const Conv2dProblem& p, std::int64_t lanes) {
  return std::min(p.g, lanes / std::max(p.icg(), p.ocg()));
}

const GroupedKernel* pick(const Conv2dProblem& p, const Conv2dRequest& request) {
  return pick_strip_row(grouped_kernels(), p, request, [](const GroupedKernel&) { return true; });
}

class GroupedConv final : public Conv2dImpl {
 public:
  GroupedConv(const Conv2dProblem& p, const Conv2dRequest& request, const GroupedKernel& kernel,
              const float* weight, const float* bias)
      : p_(p), activation_(request.activation), cap_(request.max_isa), kernel_(kernel),
        strips_(p, request, kernel.shape, 1), lanes_(kernel.info.tile_cols),
        block_groups_(block_groups(p, lanes_)) {
    blocks_ = (p.g + block_groups_ - 1) / block_groups_;
    plan_lanes();
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
  std::size_t packed_bytes() const override {
    return weights_.bytes() + source_lanes_.size() * sizeof(std::int32_t);
  }
  std::string kernels() const override { return kernel_.info.name; }

 private:
  std::int64_t block_floats() const { return (1 + p_.depth()) * lanes_; }
  std::int64_t first_group(std::int64_t block) const {
    return std::min(block * block_groups_, p_.g - block_groups_);
  }

  // source_lanes_[c][g*ocg + o] = g*icg + c
  void plan_lanes() {
    source_lanes_.assign(static_cast<std::size_t>(p_.icg() * lanes_), 0);
    for (std::int64_t c = 0; c < p_.icg(); ++c)
      for (std::int64_t n = 0; n < block_groups_ * p_.ocg(); ++n)
        source_lanes_[static_cast<std::size_t>(c * lanes_ + n)] =
            static_cast<std::int32_t>(n / p_.ocg() * p_.icg() + c);
  }

  void pack(const float* weight, const float* bias) {
    weights_ = AlignedBuffer(static_cast<std::size_t>(blocks_ * block_floats()) * sizeof(float));
    std::fill_n(weights_.floats(), blocks_ * block_floats(), 0.0f);
    const std::int64_t taps = p_.taps(), icg = p_.icg();
    for (std::int64_t b = 0; b < blocks_; ++b) {
      float* block = weights_.floats() + b * block_floats();
      const std::int64_t q0 = first_group(b) * p_.ocg();
      for (std::int64_t n = 0; n < block_groups_ * p_.ocg(); ++n) {
        if (bias) block[n] = bias[q0 + n];
        const float* filter = weight + (q0 + n) * p_.depth();
        for (std::int64_t k = 0; k < p_.depth(); ++k) {
          const float value = filter[k % icg * taps + k / icg];
          finite_ = finite_ && std::isfinite(value);
          block[(1 + k) * lanes_ + n] = value;
        }
      }
    }
  }

  void run_group(const Conv2dRun& run, std::int64_t image, std::int64_t group) const {
    const float* rows[kRowTable];
    GroupedStrip strip;
    strips_.begin_group(run, image, group, &strip, rows);
    set_clamp(activation_, &strip);
    strip.skip_padding = finite_;
    strip.block_groups = block_groups_;
    strip.icg = p_.icg();
    strip.ocg = p_.ocg();
    strip.lanes = source_lanes_.data();
    const auto kernel = strips_.rows_of(group) == 1 ? kernel_.one_row : kernel_.all_rows;
    const std::int64_t chunk = std::max<std::int64_t>(1, kWeightFloats / block_floats());
    for (std::size_t residue = 0; residue < strips_.column_residues(); ++residue) {
      for (std::int64_t b = 0; b < blocks_; b += chunk) {
        // The last chunk reaches back so that its last block is whole.
        const std::int64_t g = b * block_groups_;
        const bool final = b + chunk >= blocks_;
        const std::int64_t from = final && b == blocks_ - 1 ? first_group(b) : g;
        strip.groups = final ? p_.g - from : chunk * block_groups_;
        strip.weights = weights_.floats() + b * block_floats();
        strips_.set_columns(run, image, group, residue, from * p_.icg(), from * p_.ocg(), &strip);
        kernel(strip);
      }
    }
    if (!activation_.is_clamp()) strips_.activate(run, activation_, cap_, image, group);
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  const GroupedKernel& kernel_;
  StripPlan strips_;
  std::int64_t lanes_, block_groups_, blocks_ = 0;
  AlignedBuffer weights_;
  std::vector<std::int32_t> source_lanes_;
  bool finite_ = true;
};

}  // namespace

Verdict consider_grouped(const Conv2dProblem& p, const Conv2dRequest& request) {
  if (p.icg() == 0 || p.ocg() == 0) return refuse("there are no channels");
  const GroupedKernel* kernel = pick(p, request);
  if (!kernel) return refuse(no_strip_row_reason("grouped", p, request));
  const std::int64_t lanes = kernel->info.tile_cols;
  if (std::max(p.icg(), p.ocg()) > lanes)
    return refuse("groups of " + std::to_string(p.icg()) + " to " + std::to_string(p.ocg()) +
                  " channels; it takes at most " + std::to_string(lanes) + ", one vector");
  const std::int64_t groups = block_groups(p, lanes);
  const double vectors = static_cast<double>((p.g + groups - 1) / groups) *
                         static_cast<double>(p.mb * p.oh() * p.ow());
  const double per_term = 100.0 / (fmas_per_cycle(kernel->info.isa) * kernel->info.efficiency);
  return {true, "", vectors * (static_cast<double>(p.depth()) * per_term + 3.0) + 100.0, 0};
}

std::unique_ptr<Conv2dImpl> make_grouped(const Conv2dProblem& p, const Conv2dRequest& request,
                                         const float* weight, const float* bias) {
  return std::make_unique<GroupedConv>(p, request, *pick(p, request), weight, bias);
}

}  // namespace pyconv
