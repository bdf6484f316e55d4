// Direct convolution: the image, or a padded band of it where it needs padding, is read in place in
// either layout; a tile is a few neighbouring pixels of one output row.
#include <algorithm>
#include <limits>

#include "base/thread_pool.h"
#include "kernels/direct/direct.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"
#include "ops/conv2d/padded_source.h"
#include "ops/packed_weights.h"

namespace pyconv {

namespace {

class DirectConv final : public Conv2dImpl {
 public:
  DirectConv(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight,
             const float* bias)
      : p_(p), activation_(request.activation), cap_(request.max_isa), layout_(request.src_layout),
        plus_zero_(request.accuracy == Accuracy::exact), fetch_dst_(streams_through_l2(p)),
        pixel_(p, request), at_(p, request.src_layout, pixel_.src, request.threads),
        threads_(request.threads), block_rows_(rows_in_l1(p)) {
    const auto panels =
        plan_panels(direct_registry(), p.ocg(), p.ow(), p.depth(), request.max_isa,
                    request.kernel);
    for (std::int64_t g = 0; g < p.g; ++g)
      groups_.emplace_back(panels, p.ocg(), p.icg(), p.taps(), weight + g * p.ocg() * p.depth(),
                           bias ? bias + g * p.ocg() : nullptr);
    offsets_.reserve(static_cast<std::size_t>(p.depth()));
    for (std::int64_t r = 0; r < p.kh; ++r)
      for (std::int64_t s = 0; s < p.kw; ++s)
        for (std::int64_t c = 0; c < p.icg(); ++c)
          offsets_.push_back(static_cast<std::int32_t>(r * p.dh * at_.row + s * p.dw * at_.pixel +
                                                       c * at_.channel));
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const std::int64_t oh = p_.oh();
    if (p_.padded()) return run_bands(run);
    std::int64_t rows = block_rows_;
    if (run.threads > 1)
      rows = std::clamp<std::int64_t>(p_.mb * p_.g * oh / (4 * run.threads), 1, rows);
    const std::int64_t blocks = (oh + rows - 1) / rows;
    parallel_for(p_.mb * p_.g * blocks, run.threads, [&](std::int64_t index, int) {
      const std::int64_t y = index % blocks * rows, plane = index / blocks;
      const std::int64_t group = plane % p_.g, image = plane / p_.g;
      run_rows(run, run.src + image * at_.image + group * p_.icg() * at_.channel + y * p_.sh * at_.row,
               image, group, y, std::min(oh, y + rows));
    });
  }

  std::size_t workspace_bytes() const override {
    return p_.padded() ? static_cast<std::size_t>(threads_ * at_.image) * sizeof(float) : 0;
  }
  std::size_t packed_bytes() const override {
    std::size_t bytes = offsets_.size() * sizeof(std::int32_t);
    for (const PackedWeights& group : groups_) bytes += group.bytes();
    return bytes;
  }
  std::string kernels() const override {
    return groups_.empty() ? "" : kernel_names(groups_.front().panels());
  }
  bool residual_in_place() const override { return true; }

 private:
  // Output rows of 16 KiB together.
  static std::int64_t rows_in_l1(const Conv2dProblem& p) {
    constexpr std::int64_t kBlockFloats = 4096;
    const std::int64_t row = std::max<std::int64_t>(1, p.ow() * p.ocg());
    return std::clamp<std::int64_t>(kBlockFloats / row, 1, std::max<std::int64_t>(1, p.oh()));
  }

  void run_bands(const Conv2dRun& run) const {
    const std::int64_t pixels = p_.ih * p_.iw;
    const std::int64_t image_floats = pixels * (layout_ == Layout::nhwc ? pixel_.src : p_.ic);
    parallel_for(p_.mb * at_.bands, std::min(run.threads, threads_), [&](std::int64_t index, int worker) {
      const std::int64_t image = index / at_.bands, y0 = index % at_.bands * at_.band;
      const std::int64_t y1 = std::min(p_.oh(), y0 + at_.band);
      float* band = static_cast<float*>(run.workspace) + worker * at_.image;
      at_.pad(p_, layout_, pixel_.src, run.src + image * image_floats, y0, y1, band);
      for (std::int64_t group = 0; group < p_.g; ++group)
        run_rows(run, band + group * p_.icg() * at_.channel, image, group, y0, y1);
    });
  }

  // Rows [y0, y1), some at a time: they are still in L1 when the activation comes.
  void run_rows(const Conv2dRun& run, const float* src, std::int64_t image, std::int64_t group,
                std::int64_t y0, std::int64_t y1) const {
    for (std::int64_t y = y0; y < y1; y += block_rows_) {
      const std::int64_t last = std::min(y1, y + block_rows_);
      for (std::int64_t row = y; row < last; ++row, src += p_.sh * at_.row)
        run_row(run, src, image, group, row);
      if (activation_.is_clamp()) continue;
      float* dst = run.dst + (image * p_.oh() + y) * p_.ow() * pixel_.dst + group * p_.ocg();
      activate_rows(activation_, cap_, dst, (last - y) * p_.ow(), p_.ocg(), pixel_.dst);
    }
  }

  void run_row(const Conv2dRun& run, const float* src, std::int64_t image, std::int64_t group,
               std::int64_t y) const {
    const PackedWeights& weights = groups_[static_cast<std::size_t>(group)];
    const std::int64_t ow = p_.ow(), pixel_stride = p_.sw * at_.pixel;
    const std::int64_t first = (image * p_.oh() + y) * ow, channel = group * p_.ocg();
    DirectTile tile;
    tile.pixel_stride = pixel_stride;
    tile.offsets = offsets_.data();
    tile.depth = p_.depth();
    tile.out.dst_stride = pixel_.dst;
    tile.out.residual_stride = pixel_.residual;
    tile.out.plus_zero = plus_zero_;
    tile.out.fetch_dst = fetch_dst_;
    tile.out.clamped = activation_.is_clamp() && activation_.kind != ActivationKind::none;
    tile.out.lo = activation_.lo();
    tile.out.hi = activation_.hi();
    for (const WeightPanel& panel : weights.panels()) {
      const DirectKernel& kernel = direct_kernels()[panel.row];
      const BalancedTiles tiles(
          ow, p_.depth() <= kShortDepth ? kernel.short_rows : kernel.info.tile_rows);
      tile.panel = weights.panel_data(panel);
      tile.out.bias = weights.panel_bias(panel);
      tile.out.columns = panel.columns;
      for (std::int64_t t = 0; t < tiles.count; ++t) {
        const std::int64_t x = tiles.first_row(t);
        const std::int64_t column = channel + panel.first_column;
        tile.src = src + x * pixel_stride;
        tile.out.dst = run.dst + (first + x) * pixel_.dst + column;
        tile.out.residual =
            run.residual ? run.residual + (first + x) * pixel_.residual + column : nullptr;
        kernel.by_height[tiles.height_of(t) - 1](tile);
      }
    }
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  Layout layout_;
  bool plus_zero_, fetch_dst_;
  PixelStrides pixel_;
  PaddedSource at_;
  int threads_;
  std::int64_t block_rows_;
  std::vector<PackedWeights> groups_;
  std::vector<std::int32_t> offsets_;
};

}  // namespace

Verdict consider_direct(const Conv2dProblem& p, const Conv2dRequest& request) {
  const PaddedSource at(p, request.src_layout, PixelStrides(p, request).src, request.threads);
  if (at.reach(p) > std::numeric_limits<std::int32_t>::max())
    return refuse("one filter spans more than 2^31 floats of the input");
  const auto panels =
      plan_panels(direct_registry(), p.ocg(), p.ow(), p.depth(), request.max_isa,
                  request.kernel);
  if (panels.empty() && p.oc > 0)
    return refuse(no_panel_reason("direct", request.max_isa, request.kernel));
  const std::int64_t rows = p.mb * p.g * p.oh();
  Verdict verdict{true, "", static_cast<double>(rows) * gemm_cycles(panels, p.ow(), p.depth()), 0,
                  request.src_layout};
  // The weights are streamed again for every output row: past L1 the kernel waits for them.
  const double weight_floats = static_cast<double>(p.ocg() * p.depth());
  if (weight_floats * sizeof(float) > static_cast<double>(cpu().l1d_bytes))
    verdict.cost += static_cast<double>(rows) * weight_floats / 16.0;
  if (p.padded()) {
    verdict.workspace_bytes = static_cast<std::size_t>(request.threads * at.image) * sizeof(float);
    verdict.cost += static_cast<double>(p.mb * at.bands * at.image) / 6.0;
  }
  return verdict;
}

std::unique_ptr<Conv2dImpl> make_direct(const Conv2dProblem& p, const Conv2dRequest& request,
                                        const float* weight, const float* bias) {
  return std::make_unique<DirectConv>(p, request, weight, bias);
}

}  // namespace pyconv
