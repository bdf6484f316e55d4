// Planar convolution: channels first, pixels in the lanes, for few output channels. The image is
// brought into padded channel planes in the workspace first, from either layout; a plane is a little
// longer than its pixels where planes would else lie a multiple of 1 KiB apart and share cache sets.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/thread_pool.h"
#include "kernels/planar/planar.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"
#include "ops/layout.h"
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

// Channel planes of one image, padded; strides in floats.
struct Planes {
  std::int64_t height, width, plane, image;
  bool in_place;  // src itself can be read

  Planes(const Conv2dProblem& p, Layout layout)
      : height(p.ih + p.pt + p.pb), width(p.iw + p.pl + p.pr) {
    plane = height * width;
    in_place = !p.padded() && layout == Layout::nchw && (plane % 256 != 0 || p.icg() < 8);
    if (!in_place) {
      plane = (plane + 15) / 16 * 16;
      if (plane % 256 == 0) plane += 16;
    }
    image = plane * p.ic;
  }

  std::int64_t reach(const Conv2dProblem& p) const {
    return (p.kh - 1) * p.dh * width + (p.kw - 1) * p.dw + p.icg() * plane;
  }
  std::size_t bytes(const Conv2dProblem& p) const {
    return in_place ? 0 : static_cast<std::size_t>(p.mb * image) * sizeof(float);
  }

  // One row of the image in all planes is a chunk.
  void fill(const Conv2dProblem& p, Layout layout, std::int64_t pixel,
            const TransposeKernel& kernel, const float* src, float* to, int threads) const {
    parallel_for(p.mb * height, threads, [&](std::int64_t index, int) {
      const std::int64_t n = index / height, y = index % height - p.pt;
      float* row = to + n * image + (y + p.pt) * width;
      const bool inside = y >= 0 && y < p.ih;
      for (std::int64_t c = 0; c < p.ic; ++c) {
        float* line = row + c * plane;
        if (!inside) {
          std::fill_n(line, width, 0.0f);
          continue;
        }
        std::fill_n(line, p.pl, 0.0f);
        std::fill_n(line + p.pl + p.iw, p.pr, 0.0f);
        if (layout == Layout::nchw)
          std::copy_n(src + ((n * p.ic + c) * p.ih + y) * p.iw, p.iw, line + p.pl);
      }
      if (inside && layout == Layout::nhwc)
        kernel.run({src + (n * p.ih + y) * p.iw * pixel, pixel, row + p.pl, plane, p.iw, p.ic});
    });
  }
};

// Vectors of pixels per tile so that the planes' lines that the kw taps of a row share stay in L1.
int tile_vectors(const Conv2dProblem& p, int most) {
  if (p.kw == 1) return most;
  const std::int64_t lines = static_cast<std::int64_t>(cpu().l1d_bytes * 3 / 4 / 64) /
                             std::max<std::int64_t>(1, p.icg());
  return lines < 3 ? most : static_cast<int>(std::min<std::int64_t>(most, lines - 1));
}

class PlanarConv final : public Conv2dImpl {
 public:
  PlanarConv(const Conv2dProblem& problem, const Conv2dRequest& request, const float* weight,
             const float* bias)
      : p_(flattened(problem)), activation_(request.activation), cap_(request.max_isa),
        layout_(request.src_layout), pixel_(PixelStrides(problem, request).src), plus_zero_(request.accuracy == Accuracy::exact),
        at_(p_, request.src_layout), transpose_(find_transpose(request.max_isa)) {
    const auto panels =
        plan_panels(planar_registry(), p_.ocg(), p_.ow(), p_.depth(), request.max_isa,
                    request.kernel);
    for (std::int64_t g = 0; g < p_.g; ++g)
      groups_.emplace_back(panels, p_.ocg(), p_.icg(), p_.taps(),
                           weight + g * p_.ocg() * p_.depth(), bias ? bias + g * p_.ocg() : nullptr);
    for (std::int64_t r = 0; r < p_.kh; ++r)
      for (std::int64_t s = 0; s < p_.kw; ++s)
        for (std::int64_t c = 0; c < p_.icg(); ++c)
          offsets_.push_back(
              static_cast<std::int32_t>(r * p_.dh * at_.width + s * p_.dw + c * at_.plane));
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const float* src = run.src;
    if (!at_.in_place) {
      float* planes = static_cast<float*>(run.workspace);
      at_.fill(p_, layout_, pixel_, *transpose_, src, planes, run.threads);
      src = planes;
    }
    // Rows of one pixel run, or stretches of a long one, are the chunks.
    const std::int64_t oh = p_.oh(), ow = p_.ow();
    const std::int64_t stretch = std::max<std::int64_t>(kStretch, (ow + 63) / 64);
    const std::int64_t stretches = (ow + stretch - 1) / stretch;
    parallel_for(p_.mb * p_.g * oh * stretches, run.threads, [&](std::int64_t index, int) {
      const std::int64_t x0 = index % stretches * stretch;
      index /= stretches;
      const std::int64_t y = index % oh, group = index / oh % p_.g, image = index / oh / p_.g;
      run_row(run, src + image * at_.image + group * p_.icg() * at_.plane + y * p_.sh * at_.width,
              image, group, y, x0, std::min(ow, x0 + stretch));
    });
    if (activates_at_once()) activate_rows(activation_, cap_, run.dst, 1, p_.dst_size(), p_.dst_size());
  }

  std::size_t workspace_bytes() const override {
    return at_.bytes(p_);
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

  // Outputs that stay in L1 are one row: no tail at the end of each of the image's.
  bool activates_at_once() const {
    return !activation_.is_clamp() &&
           static_cast<std::size_t>(p_.dst_size()) * sizeof(float) <= cpu().l1d_bytes / 2;
  }

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
      const std::int64_t most = lanes * tile_vectors(p_, kernel.vectors);
      for (std::int64_t x = x0; x < x1; x += tile.pixels) {
        const std::int64_t at = channel * plane + y * ow + x;
        tile.pixels = static_cast<int>(std::min(most, x1 - x));
        tile.src = src + x;
        tile.dst = run.dst + at;
        tile.residual = run.residual ? run.residual + at : nullptr;
        kernel.by_vectors[(tile.pixels + lanes - 1) / lanes - 1](tile);
      }
    }
    if (activation_.is_clamp() || activates_at_once()) return;
    activate_rows(activation_, cap_,
                  run.dst + (image * p_.oc + group * p_.ocg()) * plane + y * ow + x0, p_.ocg(),
                  x1 - x0, plane);
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  Layout layout_;
  std::int64_t pixel_;  // of an NHWC source
  bool plus_zero_;
  Planes at_;
  const TransposeKernel* transpose_;
  std::vector<PackedWeights> groups_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

Verdict consider_planar(const Conv2dProblem& problem, const Conv2dRequest& request) {
  if (problem.sw != 1) return refuse("the horizontal stride is " + std::to_string(problem.sw));
  const Conv2dProblem p = flattened(problem);
  const Planes at(p, request.src_layout);
  if (at.reach(p) > std::numeric_limits<std::int32_t>::max())
    return refuse("one filter spans more than 2^31 floats of the input");
  const auto panels =
      plan_panels(planar_registry(), p.ocg(), p.ow(), p.depth(), request.max_isa,
                  request.kernel);
  if (panels.empty() && p.oc > 0)
    return refuse(no_panel_reason("planar", request.max_isa, request.kernel));
  Verdict verdict{true, "", 0.0, at.bytes(p), request.src_layout, Layout::nchw};
  const double rows = static_cast<double>(p.mb * p.g * p.oh()), depth = static_cast<double>(p.depth());
  for (const WeightPanel& panel : panels) {
    const PlanarKernel& kernel = planar_kernels()[panel.row];
    const int lanes = kernel.info.tile_rows / kernel.vectors;
    const int width = tile_vectors(p, kernel.vectors);
    const double rate = fmas_per_cycle(kernel.info.isa);  // of loads as well
    const double vectors = static_cast<double>((p.ow() + lanes - 1) / lanes);
    const double tiles = std::ceil(vectors / width);
    // Unaligned vectors touch two lines each; a term is bound by FMAs, by loads, by lines that come
    // from L2 when the planes' rows do not stay in L1, or by one chain's latency.
    const double fma = vectors * kernel.info.tile_cols / rate;
    const double loads = (2.0 * vectors + tiles * kernel.info.tile_cols) / rate;
    const bool spills = p.icg() * (width + 1) * 64 > static_cast<std::int64_t>(cpu().l1d_bytes);
    const double lines = spills ? 2.5 * (vectors + tiles) : 0.0;
    verdict.cost += rows * (depth * 1.3 * std::max({fma, loads, lines, 4.0 * tiles}) + tiles * 40.0);
  }
  if (!at.in_place)
    verdict.cost += static_cast<double>(p.mb * p.ic) *
                    (static_cast<double>(at.plane) * 0.35 + static_cast<double>(at.height) * 12.0);
  return verdict;
}

std::unique_ptr<Conv2dImpl> make_planar(const Conv2dProblem& p, const Conv2dRequest& request,
                                        const float* weight, const float* bias) {
  return std::make_unique<PlanarConv>(p, request, weight, bias);
}

}  // namespace pyconv
