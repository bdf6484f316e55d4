#include "ops/fused_block.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/gemm/gemm.h"
#include "ops/activation.h"
#include "ops/extents.h"
#include "ops/gemm_panel.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Output rows of a group: as many as leave ring and strip this share of L2. Zen 5, L2 1 MiB; measured
// again with `python -m benchmarks.bench_networks --networks mobilenet_v2 --layers`.
constexpr double kShareOfL2 = 0.5;
constexpr std::int64_t kTallest = 8;
constexpr std::int64_t kPixels = 512;  // rows of one GEMM: their pointers stand on the stack
// Ring rows begin at distances that are no power of two, or their lines would share few cache sets.
constexpr std::int64_t kRowPadding = 16;
constexpr std::int64_t kFloatsOfPointer = static_cast<std::int64_t>((sizeof(void*) + 3) / 4);

std::int64_t reach(const Conv2dProblem& p, std::int64_t out_rows) {
  return (out_rows - 1) * p.sh + p.kh;
}

std::int64_t group_height(const FusedBlockProblem& b) {
  const Conv2dProblem& p = b.depthwise;
  std::int64_t rows = kTallest;
  const auto floats = [&](std::int64_t out_rows) {
    return p.ic * ((b.expands ? reach(p, out_rows) * p.iw : 0) + out_rows * p.ow());
  };
  while (rows > 2 && static_cast<double>(floats(rows)) * sizeof(float) >
                         kShareOfL2 * static_cast<double>(cpu().l2_bytes))
    rows -= 2;
  return rows;
}

double cycles_of(const FusedBlockProblem& b) {
  const Conv2dProblem& p = b.depthwise;
  const double in = static_cast<double>(p.mb * p.ih * p.iw), out = static_cast<double>(p.mb * p.oh() * p.ow());
  const double macs = (b.expands ? in * static_cast<double>(b.ic * p.ic) : 0.0) +
                      out * static_cast<double>(p.ic * (p.taps() + b.oc));
  return macs / 32.0;
}

}  // namespace

struct FusedBlockPlan::Scratch {
  float *ring, *strip;
  const float** rows;
};

std::string refuse_fused_block(const FusedBlockProblem& b, Isa max_isa) {
  const Conv2dProblem& p = b.depthwise;
  Conv2dRequest request;
  request.max_isa = max_isa;
  request.src_layout = request.dst_layout = Layout::nhwc;
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms())
    if (std::string("depthwise") == algorithm.name) {
      const Verdict verdict = consider_conv2d(algorithm, p, request);
      if (!verdict.accepted) return verdict.reason;
    }
  if (p.dh != 1 || p.dw != 1) return "the depthwise convolution is dilated";
  const std::int64_t image = p.ic * (b.expands ? p.ih * p.iw : 0) + p.ic * p.oh() * p.ow();
  if (static_cast<std::size_t>(image) * sizeof(float) < cpu().l2_bytes)
    return "the wide image stays in L2 anyway";
  const std::int64_t weights = p.ic * ((b.expands ? b.ic : 0) + b.oc);
  if (static_cast<std::size_t>(weights) * sizeof(float) > cpu().l2_bytes / 4)
    return "the weights would be streamed again for every few rows";
  return {};
}

FusedBlockPlan::FusedBlockPlan(const FusedBlockProblem& problem, const FusedBlockRequest& request,
                               const FusedBlockWeights& w)
    : p_(problem), request_(request), threads_(threads_for(cycles_of(problem), request.threads)) {
  const Conv2dProblem& d = p_.depthwise;
  src_pixel_ = request.src_pixel ? request.src_pixel : p_.ic;
  dst_pixel_ = request.dst_pixel ? request.dst_pixel : p_.oc;
  residual_pixel_ = request.residual_pixel ? request.residual_pixel : p_.oc;
  const std::int64_t tallest = group_height(p_);
  const auto pointwise = [&](std::int64_t n, std::int64_t k, std::int64_t pixels, const float* weight,
                             const float* bias, const Activation& activation) {
    const std::vector<WeightPanel> panels =
        plan_panels(gemm_registry(), n, pixels, k, request.max_isa, {});
    return std::unique_ptr<Pointwise>(
        new Pointwise{PackedWeights(panels, n, k, 1, weight, bias), activation});
  };
  if (p_.expands)
    expand_ = pointwise(d.ic, p_.ic, tallest * d.sh * d.iw, w.expand, w.expand_bias, p_.expanded);
  project_ = pointwise(p_.oc, d.ic, tallest * d.ow(), w.project, w.project_bias, p_.projected);
  Conv2dRequest rows;
  rows.accuracy = request.accuracy;
  rows.activation = p_.middle;
  rows.max_isa = request.max_isa;
  rows.src_layout = rows.dst_layout = Layout::nhwc;
  rows.src_pixel = p_.expands ? 0 : request.src_pixel;
  depthwise_ = make_depthwise_rows(d, rows, w.depthwise, w.depthwise_bias, tallest);
  for (std::int64_t g = 0; g < depthwise_->groups(); ++g) {
    const RowRange out = depthwise_->rows(g);
    strip_rows_ = std::max(strip_rows_, out.last - out.first);
  }
  ring_rows_ = std::min(d.ih, reach(d, strip_rows_));
}

RowRange FusedBlockPlan::reached(RowRange rows) const {
  const Conv2dProblem& d = p_.depthwise;
  return {std::clamp<std::int64_t>(rows.first * d.sh - d.pt, 0, d.ih),
          std::clamp<std::int64_t>((rows.last - 1) * d.sh - d.pt + d.kh, 0, d.ih)};
}

std::int64_t FusedBlockPlan::ring_row() const {
  return p_.depthwise.iw * p_.depthwise.ic + kRowPadding;
}

std::int64_t FusedBlockPlan::scratch_floats() const {
  const Conv2dProblem& d = p_.depthwise;
  const std::int64_t floats = (p_.expands ? ring_rows_ * ring_row() : 0) + strip_rows_ * d.ow() * d.ic;
  const std::int64_t pointers = d.ih * kFloatsOfPointer;
  return (floats + 15) / 16 * 16 + (pointers + 15) / 16 * 16;
}

std::size_t FusedBlockPlan::workspace_bytes() const {
  return static_cast<std::size_t>(threads_ * scratch_floats()) * sizeof(float);
}

std::size_t FusedBlockPlan::packed_bytes() const {
  return (expand_ ? expand_->weights.bytes() : 0) + depthwise_->bytes() + project_->weights.bytes();
}

std::string FusedBlockPlan::kernels() const {
  std::string names = expand_ ? kernel_names(expand_->weights.panels()) + "," : "";
  return names + depthwise_->kernel() + "," + kernel_names(project_->weights.panels());
}

void FusedBlockPlan::run(const float* src, const float* residual, float* dst, void* workspace) const {
  const FpEnvScope fp_env;
  const Conv2dProblem& d = p_.depthwise;
  const std::int64_t groups = depthwise_->groups();
  const std::int64_t segments = threads_ > 1 ? std::min<std::int64_t>(groups, 3 * threads_) : 1;
  parallel_for(d.mb * segments, threads_, [&](std::int64_t index, int worker) {
    const std::int64_t segment = index % segments;
    float* own = static_cast<float*>(workspace) + worker * scratch_floats();
    Scratch scratch;
    scratch.ring = own;
    scratch.strip = own + (p_.expands ? ring_rows_ * ring_row() : 0);
    const std::int64_t pointers = d.ih * kFloatsOfPointer;
    scratch.rows = reinterpret_cast<const float**>(own + scratch_floats() - (pointers + 15) / 16 * 16);
    run_segment(src, residual, dst, index / segments,
                {groups * segment / segments, groups * (segment + 1) / segments}, scratch);
  });
}

void FusedBlockPlan::run_segment(const float* src, const float* residual, float* dst, std::int64_t image,
                                 RowRange groups, const Scratch& scratch) const {
  const Conv2dProblem& d = p_.depthwise;
  const float* in = src + image * d.ih * d.iw * src_pixel_;
  for (std::int64_t y = 0; y < d.ih; ++y)
    scratch.rows[y] = p_.expands ? scratch.ring + y % ring_rows_ * ring_row() : in + y * d.iw * src_pixel_;
  std::int64_t made = 0;  // rows of the ring below this are there
  for (std::int64_t g = groups.first; g < groups.last; ++g) {
    const RowRange out = depthwise_->rows(g), wide = reached(out);
    for (std::int64_t y = std::max(made, wide.first); p_.expands && y < wide.last; ++y)
      expand_->run(*this, in + y * d.iw * src_pixel_, src_pixel_, d.iw, const_cast<float*>(scratch.rows[y]),
                   d.ic, nullptr, 0);
    made = std::max(made, wide.last);
    depthwise_->run_rows(scratch.rows, g, scratch.strip);
    const std::int64_t at = (image * d.oh() + out.first) * d.ow();
    project_->run(*this, scratch.strip, d.ic, (out.last - out.first) * d.ow(), dst + at * dst_pixel_,
                  dst_pixel_, residual ? residual + at * residual_pixel_ : nullptr, residual_pixel_);
  }
}

void FusedBlockPlan::Pointwise::run(const FusedBlockPlan& plan, const float* src, std::int64_t src_pixel,
                                    std::int64_t pixels, float* dst, std::int64_t dst_pixel,
                                    const float* residual, std::int64_t residual_pixel) const {
  const float* rows[kPixels];
  for (std::int64_t first = 0; first < pixels; first += kPixels) {
    const std::int64_t count = std::min(kPixels, pixels - first);
    for (std::int64_t i = 0; i < count; ++i) rows[i] = src + (first + i) * src_pixel;
    for (const WeightPanel& panel : weights.panels()) {
      GemmTiles tiles;
      tiles.rows = rows;
      tiles.depth = weights.depth();
      tiles.panel = weights.panel_data(panel);
      tiles.out.dst = dst + first * dst_pixel + panel.first_column;
      tiles.out.dst_stride = dst_pixel;
      tiles.out.columns = panel.columns;
      tiles.out.bias = weights.panel_bias(panel);
      tiles.out.residual = residual ? residual + first * residual_pixel + panel.first_column : nullptr;
      tiles.out.residual_stride = residual_pixel;
      tiles.out.plus_zero = plan.request_.accuracy == Accuracy::exact;
      tiles.out.clamped = activation.is_clamp() && activation.kind != ActivationKind::none;
      tiles.out.lo = activation.lo();
      tiles.out.hi = activation.hi();
      multiply_panel(gemm_kernels()[panel.row], tiles, count);
    }
    if (!activation.is_clamp())
      activate_rows(activation, plan.request_.max_isa, dst + first * dst_pixel, count, weights.columns(),
                    dst_pixel);
  }
}

}  // namespace pyconv
