// Planar convolution: channels first, pixels in the lanes, for few output channels; the image is
// padded once into the workspace where the problem pads.
#include <algorithm>
#include <limits>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/planar/planar.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"
#include "ops/conv2d/padded_source.h"
#include "ops/packed_weights.h"

namespace pyconv {

namespace {

// A 1x1 convolution of stride 1 sees one long row of pixels.
Conv2dProblem flattened(Conv2dProblem p) {
  if (p.taps() != 1 || p.padded() || p.sh != 1 || p.sw != 1) return p;
  p.iw *= p.ih;
  p.ih = 1;
  return p;
}

class PlanarConv final : public Conv2dImpl {
 public:
  PlanarConv(const Conv2dProblem& problem, const Conv2dRequest& request, const float* weight,
             const float* bias)
      : p_(flattened(problem)), activation_(request.activation), cap_(request.max_isa),
        plus_zero_(request.accuracy == Accuracy::exact), at_(p_, Layout::nchw) {
    const auto panels = plan_panels(planar_registry(), p_.ocg(), request.max_isa, request.kernel);
    for (std::int64_t g = 0; g < p_.g; ++g)
      groups_.emplace_back(panels, p_.ocg(), p_.icg(), p_.taps(),
                           weight + g * p_.ocg() * p_.depth(), bias ? bias + g * p_.ocg() : nullptr);
    for (std::int64_t r = 0; r < p_.kh; ++r)
      for (std::int64_t s = 0; s < p_.kw; ++s)
        for (std::int64_t c = 0; c < p_.icg(); ++c)
          offsets_.push_back(
              static_cast<std::int32_t>(r * p_.dh * at_.row + s * p_.dw + c * at_.channel));
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const float* src = run.src;
    if (p_.padded()) {
      float* padded = static_cast<float*>(run.workspace);
      at_.pad(p_, Layout::nchw, src, padded, run.threads);
      src = padded;
    }
    // Rows of one pixel run, or stretches of a long one, are the chunks.
    const std::int64_t oh = p_.oh(), ow = p_.ow();
    const std::int64_t stretch = std::max<std::int64_t>(kStretch, (ow + 63) / 64);
    const std::int64_t stretches = (ow + stretch - 1) / stretch;
    parallel_for(p_.mb * p_.g * oh * stretches, run.threads, [&](std::int64_t index, int) {
      const std::int64_t x0 = index % stretches * stretch;
      index /= stretches;
      const std::int64_t y = index % oh, group = index / oh % p_.g, image = index / oh / p_.g;
      run_row(run, src + image * at_.image + group * p_.icg() * at_.channel + y * p_.sh * at_.row,
              image, group, y, x0, std::min(ow, x0 + stretch));
    });
  }

  std::size_t workspace_bytes() const override {
    return p_.padded() ? static_cast<std::size_t>(p_.mb * at_.image) * sizeof(float) : 0;
  }
  std::size_t packed_bytes() const override {
    std::size_t bytes = offsets_.size() * sizeof(std::int32_t);
    for (const PackedWeights& group : groups_) bytes += group.bytes();
    return bytes;
  }
  std::string kernels() const override {
    return groups_.empty() ? "" : kernel_names(groups_.front().panels());
  }

 private:
  static constexpr std::int64_t kStretch = 768;  // pixels: a multiple of every tile

  void run_row(const Conv2dRun& run, const float* src, std::int64_t image, std::int64_t group,
               std::int64_t y, std::int64_t x0, std::int64_t x1) const {
    const PackedWeights& weights = groups_[static_cast<std::size_t>(group)];
    const std::int64_t ow = p_.ow(), plane = p_.oh() * ow;
    PlanarTile tile;
    tile.offsets = offsets_.data();
    tile.depth = p_.depth();
    tile.dst_stride = plane;
    tile.plus_zero = plus_zero_;
    tile.clamped = activation_.is_clamp() && activation_.kind != ActivationKind::none;
    tile.lo = activation_.lo();
    tile.hi = activation_.hi();
    for (const WeightPanel& panel : weights.panels()) {
      const PlanarKernel& kernel = planar_kernels()[panel.row];
      const int lanes = kernel.info.tile_rows / kernel.vectors;
      tile.weights = weights.panel_data(panel);
      tile.bias = weights.panel_bias(panel);
      tile.channels = panel.columns;
      const std::int64_t channel = image * p_.oc + group * p_.ocg() + panel.first_column;
      for (std::int64_t x = x0; x < x1; x += tile.pixels) {
        const std::int64_t at = channel * plane + y * ow + x;
        tile.pixels = static_cast<int>(std::min<std::int64_t>(kernel.info.tile_rows, x1 - x));
        tile.src = src + x;
        tile.dst = run.dst + at;
        tile.residual = run.residual ? run.residual + at : nullptr;
        kernel.by_vectors[(tile.pixels + lanes - 1) / lanes - 1](tile);
      }
    }
    if (activation_.is_clamp()) return;
    activate_rows(activation_, cap_,
                  run.dst + (image * p_.oc + group * p_.ocg()) * plane + y * ow + x0, p_.ocg(),
                  x1 - x0, plane);
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  bool plus_zero_;
  PaddedSource at_;
  std::vector<PackedWeights> groups_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

Verdict consider_planar(const Conv2dProblem& problem, const Conv2dRequest& request) {
  if (problem.sw != 1) return refuse("the horizontal stride is " + std::to_string(problem.sw));
  const Conv2dProblem p = flattened(problem);
  const PaddedSource at(p, Layout::nchw);
  if (at.reach(p) > std::numeric_limits<std::int32_t>::max())
    return refuse("one filter spans more than 2^31 floats of the input");
  const auto panels = plan_panels(planar_registry(), p.ocg(), request.max_isa, request.kernel);
  if (panels.empty() && p.oc > 0)
    return refuse(no_panel_reason("planar", request.max_isa, request.kernel));
  Verdict verdict{true, "", 0.0, 0, Layout::nchw, Layout::nchw};
  const double rows = static_cast<double>(p.mb * p.g * p.oh()), depth = static_cast<double>(p.depth());
  for (const WeightPanel& panel : panels) {
    const PlanarKernel& kernel = planar_kernels()[panel.row];
    const int lanes = kernel.info.tile_rows / kernel.vectors;
    const double vectors = static_cast<double>((p.ow() + lanes - 1) / lanes);
    const double tiles = static_cast<double>((p.ow() + kernel.info.tile_rows - 1) / kernel.info.tile_rows);
    const double per_term =
        std::max(vectors * kernel.info.tile_cols / 2.0 * 100.0 / kernel.info.efficiency, 4.0 * tiles);
    verdict.cost += rows * (depth * per_term + tiles * 25.0);
  }
  if (p.padded()) {
    verdict.workspace_bytes = static_cast<std::size_t>(p.mb * at.image) * sizeof(float);
    verdict.cost += static_cast<double>(p.mb * at.image) / 6.0;
  }
  return verdict;
}

std::unique_ptr<Conv2dImpl> make_planar(const Conv2dProblem& p, const Conv2dRequest& request,
                                        const float* weight, const float* bias) {
  return std::make_unique<PlanarConv>(p, request, weight, bias);
}

}  // namespace pyconv
