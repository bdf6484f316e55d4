// Depthwise convolution: one filter per channel, vectors over channels, rows of outputs in strips.
//
// Strides and dilations are taken apart first. With d' = dilation / gcd(stride, dilation), the
// outputs q * d' + m of one residue m form a convolution of stride stride / gcd whose neighbouring
// taps lie `dilation` pixels apart: dense, but for the steps between pixels. So a dilated filter
// runs on the same register tiles as a dense one.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/depthwise/depthwise.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"

namespace pyconv {

namespace {

// Rows of pointers stand on the stack.
constexpr std::int64_t kMostFilterRows = 1024;
// Channels that a strip takes along, so that its weights and the rows it shares with the next strip
// stay in L1. Zen 5: 128 for 3x3; `python -m benchmarks.bench_layers` measures it again.
constexpr std::int64_t kChannelBytes = 512;

// One axis: the stride between outputs of one residue, and how many residues there are.
struct Axis {
  std::int64_t stride, residues;
  Axis(std::int64_t s, std::int64_t d) : stride(s / std::gcd(s, d)), residues(d / std::gcd(s, d)) {}
};

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {  // b > 0; a of either sign
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

bool takes(const DepthwiseKernel& kernel, const Conv2dProblem& p) {
  const Axis y(p.sh, p.dh), x(p.sw, p.dw);
  return (kernel.kh == 0 || kernel.kh == p.kh) && (kernel.kw == 0 || kernel.kw == p.kw) && (kernel.stride == 0 || kernel.stride == x.stride);
}

const DepthwiseKernel* pick(const Conv2dProblem& p, const Conv2dRequest& request) {
  const DepthwiseKernel* best = nullptr;
  for (const DepthwiseKernel& row : depthwise_kernels()) {
    if (!isa_allowed(row.info.isa, request.max_isa) || !takes(row, p)) continue;
    if (!request.kernel.empty() && request.kernel != row.info.name) continue;
    if (!best || (best->info.isa != row.info.isa && isa_allowed(best->info.isa, row.info.isa)))
      best = &row;
  }
  return best;
}

class DepthwiseConv final : public Conv2dImpl {
 public:
  DepthwiseConv(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight,
                const float* bias)
      : p_(p), activation_(request.activation), cap_(request.max_isa), kernel_(*pick(p, request)),
        y_(p.sh, p.dh), x_(p.sw, p.dw) {
    pack(weight, bias);
    plan_rows();
    plan_columns();
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const std::int64_t groups = static_cast<std::int64_t>(groups_.size());
    parallel_for(p_.mb * groups, run.threads, [&](std::int64_t index, int) {
      run_group(run, index / groups, groups_[static_cast<std::size_t>(index % groups)]);
    });
  }

  std::size_t workspace_bytes() const override { return 0; }
  std::size_t packed_bytes() const override { return weights_.bytes(); }
  std::string kernels() const override { return kernel_.info.name; }

 private:
  std::int64_t block_floats() const { return (1 + p_.taps()) * kernel_.info.tile_cols; }

  void pack(const float* weight, const float* bias) {
    const std::int64_t lanes = kernel_.info.tile_cols, taps = p_.taps();
    const std::int64_t blocks = ceil_div(p_.oc, lanes);
    weights_ = AlignedBuffer(static_cast<std::size_t>(blocks * block_floats()) * sizeof(float));
    float* to = weights_.floats();
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t c0 = std::max<std::int64_t>(0, std::min(b * lanes, p_.oc - lanes));
      for (std::int64_t k = -1; k < taps; ++k) {
        for (std::int64_t c = c0; c < c0 + lanes; ++c) {
          float value = 0.0f;
          if (c < p_.oc) value = k < 0 ? (bias ? bias[c] : 0.0f) : weight[c * taps + k];
          finite_ = finite_ && (k < 0 || std::isfinite(value));
          *to++ = value;
        }
      }
    }
  }

  // Output rows computed at once: `count` of them, y_.residues apart.
  struct RowGroup {
    std::int64_t first, count;
  };
  // The output columns of one residue, in steps of x_.residues, and the taps they reach.
  struct Columns {
    std::int64_t src, first_tap, last_tap, count;
  };

  void plan_rows() {
    const std::int64_t most = y_.stride == kernel_.stride ? kernel_.out_rows : 1;
    for (std::int64_t m = 0; m < std::min(y_.residues, p_.oh()); ++m)
      for (std::int64_t y = m; y < p_.oh(); y += most * y_.residues)
        groups_.push_back({y, std::min(most, (p_.oh() - y + y_.residues - 1) / y_.residues)});
  }

  void plan_columns() {
    for (std::int64_t m = 0; m < std::min(x_.residues, p_.ow()); ++m) {
      const std::int64_t x = m * p_.sw - p_.pl;
      columns_.push_back({x, ceil_div(-x, p_.dw), ceil_div(p_.iw - x, p_.dw),
                          (p_.ow() - m - 1) / x_.residues + 1});
    }
  }

  void run_group(const Conv2dRun& run, std::int64_t image, const RowGroup& group) const {
    const float* rows[kMostFilterRows + 8];
    DepthwiseStrip strip;
    strip.rows = rows;
    strip.kh = p_.kh;
    strip.kw = p_.kw;
    strip.stride = x_.stride;
    strip.skip_padding = finite_;
    strip.clamped = activation_.kind == ActivationKind::relu ||
                    activation_.kind == ActivationKind::relu6;
    strip.lo = activation_.is_clamp() ? activation_.lo() : Activation().lo();
    strip.hi = activation_.is_clamp() ? activation_.hi() : Activation().hi();
    const std::int64_t src_row = p_.iw * p_.ic, dst_row = p_.ow() * p_.oc;
    std::int64_t y = group.first * p_.sh - p_.pt;
    for (std::int64_t i = 0; i < p_.kh + (group.count - 1) * y_.stride; ++i, y += p_.dh) {
      const bool inside = y >= 0 && y < p_.ih;
      rows[i] = inside ? run.src + (image * p_.ih + y) * src_row : nullptr;
      strip.padded_rows = strip.padded_rows || !inside;
    }
    strip.dst_row = y_.residues * dst_row;
    strip.dst_col = x_.residues * p_.oc;
    strip.src_step = p_.dw * p_.ic;
    const std::int64_t at = (image * p_.oh() + group.first) * dst_row;
    const DepthwiseStripFn kernel = group.count == 1 ? kernel_.one_row : kernel_.all_rows;
    for (std::size_t m = 0; m < columns_.size(); ++m)
      run_columns(run, strip, at + static_cast<std::int64_t>(m) * p_.oc, columns_[m], kernel);
    if (activation_.is_clamp()) return;
    for (std::int64_t j = 0; j < group.count; ++j)
      activate_rows(activation_, cap_, run.dst + at + j * strip.dst_row, 1, dst_row, dst_row);
  }

  void run_columns(const Conv2dRun& run, DepthwiseStrip& strip, std::int64_t at,
                   const Columns& columns, DepthwiseStripFn kernel) const {
    strip.first = columns.first_tap;
    strip.last = columns.last_tap;
    strip.count = columns.count;
    const std::int64_t lanes = kernel_.info.tile_cols;
    constexpr std::int64_t chunk = kChannelBytes / sizeof(float);
    for (std::int64_t c = 0; c < p_.oc;) {
      // A rest below one vector would have to be masked: it goes with the chunk before.
      strip.channels = p_.oc - c < chunk + lanes ? p_.oc - c : chunk;
      strip.origin = columns.src * p_.ic + c;
      strip.weights = weights_.floats() + c / lanes * block_floats();
      strip.dst = run.dst + at + c;
      strip.residual = run.residual ? run.residual + at + c : nullptr;
      kernel(strip);
      c += strip.channels;
    }
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  const DepthwiseKernel& kernel_;
  Axis y_, x_;
  std::vector<RowGroup> groups_;
  std::vector<Columns> columns_;
  AlignedBuffer weights_;
  bool finite_ = true;
};

}  // namespace

Verdict consider_depthwise(const Conv2dProblem& p, const Conv2dRequest& request) {
  if (p.icg() != 1 || p.ocg() != 1)
    return refuse("groups=" + std::to_string(p.g) + " of " + std::to_string(p.icg()) +
                  " input and " + std::to_string(p.ocg()) +
                  " output channels; it takes one channel per group");
  if (p.kh > kMostFilterRows)
    return refuse("the filter is taller than " + std::to_string(kMostFilterRows) + " rows");
  const DepthwiseKernel* kernel = pick(p, request);
  if (!kernel)
    return refuse("kernel '" + request.kernel + "' is no depthwise row that " +
                  isa_name(request.max_isa) + " allows for " + std::to_string(p.kw) +
                  " columns and this stride");
  const double lanes = kernel->info.tile_cols;
  const double vectors = std::ceil(static_cast<double>(p.oc) / lanes) *
                         static_cast<double>(p.mb * p.oh() * p.ow());
  const double per_tap = 50.0 / kernel->info.efficiency;
  return {true, "", vectors * (static_cast<double>(p.taps()) * per_tap + 2.0) + 100.0, 0};
}

std::unique_ptr<Conv2dImpl> make_depthwise(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  return std::make_unique<DepthwiseConv>(p, request, weight, bias);
}

}  // namespace pyconv
