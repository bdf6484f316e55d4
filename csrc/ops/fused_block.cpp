#include "ops/fused_block.h"

#include <algorithm>
#include <new>

#include "base/thread_pool.h"
#include "ops/activation.h"
#include "ops/extents.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Output rows of a group: as many as leave ring and strip this share of L2. Zen 5, L2 1 MiB; measured
// again with `python -m benchmarks.bench_networks --networks mobilenet_v2 --layers`.
constexpr double kShareOfL2 = 0.5;
constexpr std::int64_t kTallest = 8;
// Ring rows begin at distances that are no power of two, or their lines would share few cache sets.
constexpr std::int64_t kRowPadding = 16;
constexpr std::int64_t kFloatsOfPlace = 16;
constexpr std::int64_t kFloatsOfPointer = static_cast<std::int64_t>((sizeof(void*) + 3) / 4);

std::int64_t reach(const Conv2dProblem& p, std::int64_t out_rows) {
  return (out_rows - 1) * p.sh + p.kh;
}

std::int64_t group_height(const FusedBlockProblem& b) {
  const Conv2dProblem& p = b.depthwise;
  std::int64_t rows = kTallest;
  const auto floats = [&](std::int64_t out_rows) {
    return p.ic * ((b.expands ? reach(p, out_rows) * p.iw : 0) + (b.projects ? out_rows * p.ow() : 0));
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
                      out * static_cast<double>(p.ic * (p.taps() + (b.projects ? b.oc : 0)));
  return macs / (16.0 * fmas_per_cycle(Isa::avx512));
}

Verdict depthwise_verdict(const Conv2dProblem& p, Isa max_isa) {
  Conv2dRequest request;
  request.max_isa = max_isa;
  request.src_layout = request.dst_layout = Layout::nhwc;
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms())
    if (std::string("depthwise") == algorithm.name) return consider_conv2d(algorithm, p, request);
  return refuse("there is no depthwise algorithm");
}

}  // namespace

// What the ring of a worker holds: it goes on where its last segment ended, and makes no row twice.
struct FusedBlockPlan::Place {
  std::int64_t image = -1, group = -1;  // that would come next
  std::int64_t made = 0;                // rows below this are there
};

struct FusedBlockPlan::Scratch {
  Place* place;
  float *ring, *strip;
  const float** rows;
};

std::string refuse_fused_block(const FusedBlockProblem& b, Isa max_isa) {
  const Conv2dProblem& p = b.depthwise;
  const Verdict verdict = depthwise_verdict(p, max_isa);
  if (!verdict.accepted) return verdict.reason;
  if (p.dh != 1 || p.dw != 1) return "the depthwise convolution is dilated";
  const std::int64_t image =
      p.ic * (b.expands ? p.ih * p.iw : 0) + (b.projects ? p.ic * p.oh() * p.ow() : 0);
  if (static_cast<std::size_t>(image) * sizeof(float) < cpu().l2_bytes)
    return "the wide image stays in L2 anyway";
  const std::int64_t weights = p.ic * ((b.expands ? b.ic : 0) + (b.projects ? b.oc : 0));
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
    return std::make_unique<PointwiseRows>(n, k, pixels, request.accuracy, request.max_isa, activation,
                                           weight, bias);
  };
  if (p_.expands)
    expand_ = pointwise(d.ic, p_.ic, d.iw, w.expand, w.expand_bias, p_.expanded);
  if (p_.projects)
    project_ = pointwise(p_.oc, d.ic, tallest * d.ow(), w.project, w.project_bias, p_.projected);
  Conv2dRequest rows;
  rows.accuracy = request.accuracy;
  rows.activation = p_.middle;
  rows.max_isa = request.max_isa;
  rows.src_layout = rows.dst_layout = Layout::nhwc;
  rows.src_pixel = p_.expands ? 0 : request.src_pixel;
  rows.dst_pixel = p_.projects ? 0 : request.dst_pixel;
  depthwise_ = make_depthwise_rows(d, rows, w.depthwise, w.depthwise_bias, tallest);
  for (std::int64_t g = 0; g < depthwise_->groups(); ++g) {
    const RowRange out = depthwise_->rows(g);
    strip_rows_ = std::max(strip_rows_, out.last - out.first);
  }
  ring_rows_ = std::min(d.ih, reach(d, strip_rows_));
}

double FusedBlockPlan::cycles() const {
  const Conv2dProblem& d = p_.depthwise;
  double of_image = 0;
  for (std::int64_t g = 0; p_.projects && g < depthwise_->groups(); ++g) {
    const RowRange out = depthwise_->rows(g);
    of_image += project_->cycles((out.last - out.first) * d.ow());
  }
  if (p_.expands) of_image += static_cast<double>(d.ih) * expand_->cycles(d.iw);
  const double wide = p_.expands ? activation_cycles(p_.expanded, request_.max_isa, d.src_size()) : 0.0;
  const double narrow =
      p_.projects ? activation_cycles(p_.projected, request_.max_isa, d.mb * d.oh() * d.ow() * p_.oc) : 0.0;
  return static_cast<double>(d.mb) * of_image + depthwise_verdict(d, request_.max_isa).cost + wide + narrow +
         activation_cycles(p_.middle, request_.max_isa, d.dst_size());
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
  const std::int64_t floats = (p_.expands ? ring_rows_ * ring_row() : 0) +
                              (p_.projects ? strip_rows_ * d.ow() * d.ic : 0);
  const std::int64_t pointers = d.ih * kFloatsOfPointer;
  return kFloatsOfPlace + (floats + 15) / 16 * 16 + (pointers + 15) / 16 * 16;
}

std::size_t FusedBlockPlan::workspace_bytes() const {
  static_assert(sizeof(Place) <= kFloatsOfPlace * sizeof(float), "a place has 64 bytes");
  return static_cast<std::size_t>(threads_ * scratch_floats()) * sizeof(float);
}

std::size_t FusedBlockPlan::packed_bytes() const {
  return (expand_ ? expand_->bytes() : 0) + depthwise_->bytes() + (project_ ? project_->bytes() : 0);
}

std::string FusedBlockPlan::kernels() const {
  return (expand_ ? expand_->kernels() + "," : "") + depthwise_->kernel() +
         (project_ ? "," + project_->kernels() : "");
}

void FusedBlockPlan::run(const float* src, const float* residual, float* dst, void* workspace) const {
  const FpEnvScope fp_env;
  const Conv2dProblem& d = p_.depthwise;
  const std::int64_t groups = depthwise_->groups();
  const std::int64_t segments = threads_ > 1 ? std::min<std::int64_t>(groups, 3 * threads_) : 1;
  for (int worker = 0; worker < threads_; ++worker)
    new (static_cast<float*>(workspace) + worker * scratch_floats()) Place;
  parallel_for(d.mb * segments, threads_, [&](std::int64_t index, int worker) {
    const std::int64_t segment = index % segments;
    float* own = static_cast<float*>(workspace) + worker * scratch_floats();
    Scratch scratch;
    scratch.place = reinterpret_cast<Place*>(own);
    scratch.ring = own + kFloatsOfPlace;
    scratch.strip = scratch.ring + (p_.expands ? ring_rows_ * ring_row() : 0);
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
  Place& place = *scratch.place;
  if (place.image != image || place.group != groups.first) {
    for (std::int64_t y = 0; y < d.ih; ++y)
      scratch.rows[y] = p_.expands ? scratch.ring + y % ring_rows_ * ring_row() : in + y * d.iw * src_pixel_;
    place.made = 0;
  }
  place.image = image;
  place.group = groups.last;
  for (std::int64_t g = groups.first; g < groups.last; ++g) {
    const RowRange out = depthwise_->rows(g), wide = reached(out);
    for (std::int64_t y = std::max(place.made, wide.first); p_.expands && y < wide.last; ++y)
      expand_->run({in + y * d.iw * src_pixel_, const_cast<float*>(scratch.rows[y]), nullptr, src_pixel_,
                    d.ic, 0, d.iw});
    place.made = std::max(place.made, wide.last);
    const std::int64_t at = (image * d.oh() + out.first) * d.ow();
    float* to = dst + at * dst_pixel_;
    depthwise_->run_rows(scratch.rows, g, p_.projects ? scratch.strip : to);
    if (p_.projects)
      project_->run({scratch.strip, to, residual ? residual + at * residual_pixel_ : nullptr, d.ic,
                     dst_pixel_, residual_pixel_, (out.last - out.first) * d.ow(), nullptr, true});
  }
}

}  // namespace pyconv
