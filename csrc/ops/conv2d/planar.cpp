// Planar convolution: channels first, pixels in the lanes, for few output channels. The image is
// brought into padded channel planes in the workspace first, from either layout; a plane is a little
// longer than its pixels where planes would else lie a multiple of 1 KiB apart and share cache sets.
#include <algorithm>
#include <cstring>
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

  // A chunk is some rows of one image in all planes: zeroed as a whole, then the pixels come in.
  void fill(const Conv2dProblem& p, Layout layout, std::int64_t pixel,
            const TransposeKernel& kernel, const float* src, float* to, int threads) const {
    const std::int64_t row_floats = std::max<std::int64_t>(1, width * p.ic);
    const std::int64_t rows = std::clamp<std::int64_t>(kFillFloats / row_floats, 1, height);
    const std::int64_t chunks = (height + rows - 1) / rows;
    const bool planar = layout == Layout::nchw || (p.ic == 1 && pixel == 1);
    parallel_for(p.mb * chunks, threads, [&](std::int64_t index, int) {
      const std::int64_t n = index / chunks, row0 = index % chunks * rows;
      const std::int64_t row1 = std::min(height, row0 + rows);
      const std::int64_t y0 = std::max(row0 - p.pt, std::int64_t{0}), y1 = std::min(row1 - p.pt, p.ih);
      float* image_to = to + n * image;
      for (std::int64_t c = 0; c < p.ic; ++c) {
        float* plane_to = image_to + c * plane;
        if (p.padded())
          std::memset(plane_to + row0 * width, 0, static_cast<std::size_t>((row1 - row0) * width) * sizeof(float));
        if (!planar) continue;
        const float* from = src + ((n * p.ic + c) * p.ih + y0) * p.iw;
        float* line = plane_to + (y0 + p.pt) * width + p.pl;
        for (std::int64_t y = y0; y < y1; ++y, from += p.iw, line += width)
          std::memcpy(line, from, static_cast<std::size_t>(p.iw) * sizeof(float));
      }
      if (planar) return;
      for (std::int64_t y = y0; y < y1; ++y)
        kernel.run({src + (n * p.ih + y) * p.iw * pixel, pixel, image_to + (y + p.pt) * width + p.pl,
                    plane, p.iw, p.ic});
    });
  }

 private:
  static constexpr std::int64_t kFillFloats = 4096;  // 16 KiB: still in L1 when the pixels come
};

// Fast sums may run channel by channel, all taps of one before the next, where the lines that the taps share would
// not stay in L1 for all channels: up to 1.7 times as fast (192 channels, 5x5, 37x37, Zen 4).
bool by_channel(const Conv2dProblem& p, Accuracy accuracy) {
  const std::int64_t lines = p.icg() * p.kh * (std::min<std::int64_t>(8, (p.ow() + 15) / 16) + 1);
  return accuracy == Accuracy::fast && p.taps() > 1 && static_cast<std::size_t>(lines * 64) > cpu().l1d_bytes;
}

// What a tile reads before it comes back to the same lines.
Conv2dProblem at_once(Conv2dProblem p, Accuracy accuracy) {
  if (by_channel(p, accuracy)) p.ic = p.g;
  return p;
}

// Vectors of pixels per tile so that the planes' lines that the kw taps of a row share stay in L1.
int tile_vectors(const Conv2dProblem& p, int most) {
  if (p.kw == 1) return most;
  const std::int64_t lines = static_cast<std::int64_t>(cpu().l1d_bytes * 3 / 4 / 64) /
                             std::max<std::int64_t>(1, p.icg());
  return lines < 3 ? most : static_cast<int>(std::min<std::int64_t>(most, lines - 1));
}

// How the pixels of the output are cut into a kernel's tiles: stretches of a long row, or several short
// rows together.
struct TileShape {
  int lanes;
  std::int64_t pixels;  // of a row
  std::int64_t rows;

  TileShape(const PlanarKernel& kernel, const Conv2dProblem& p) : lanes(kernel.lanes()) {
    const std::int64_t vectors = tile_vectors(p, kernel.vectors);
    const std::int64_t of_row = (p.ow() + lanes - 1) / lanes;
    pixels = std::min(vectors, of_row) * lanes;
    rows = std::clamp<std::int64_t>(vectors / std::max<std::int64_t>(1, of_row), 1,
                                    std::max<std::int64_t>(1, p.oh()));
    while (rows > 1 && !(kernel.tiles->get(static_cast<int>(rows), static_cast<int>(of_row)) && fits_l1(p, of_row)))
      --rows;
  }
  // Whether the next tile finds in L1 what it shares with this one.
  bool fits_l1(const Conv2dProblem& p, std::int64_t of_row) const {
    const std::int64_t src_rows = (rows - 1) * p.sh + (p.kh - 1) * p.dh + 1;
    return static_cast<std::size_t>(p.icg() * src_rows * (of_row + 1) * 64) <= cpu().l1d_bytes * 3 / 4;
  }
  int vectors_of(int n) const { return (n + lanes - 1) / lanes; }
};

std::vector<WeightPanel> planar_panels(const Conv2dProblem& p, const Conv2dRequest& request) {
  return plan_panels(planar_registry(), p.ocg(), p.ow(), p.depth(), request.max_isa, request.kernel);
}

class PlanarConv final : public Conv2dImpl {
 public:
  PlanarConv(const Conv2dProblem& problem, const Conv2dRequest& request, const float* weight,
             const float* bias)
      : p_(flattened(problem)), near_(at_once(p_, request.accuracy)), activation_(request.activation), cap_(request.max_isa),
        layout_(request.src_layout), pixel_(PixelStrides(problem, request).src),
        plus_zero_(request.accuracy == Accuracy::exact), at_(p_, request.src_layout), transpose_(find_transpose(request.max_isa)) {
    const std::vector<WeightPanel> panels = planar_panels(p_, request);
    for (const WeightPanel& panel : panels)
      tile_rows_ = std::max(tile_rows_, TileShape(planar_kernels()[panel.row], near_).rows);
    const bool channels_outside = by_channel(p_, request.accuracy);
    for (std::int64_t g = 0; g < p_.g; ++g)
      groups_.emplace_back(panels, p_.ocg(), channels_outside ? p_.depth() : p_.icg(),
                           channels_outside ? 1 : p_.taps(),
                           weight + g * p_.ocg() * p_.depth(), bias ? bias + g * p_.ocg() : nullptr);
    const std::int64_t channels = p_.icg(), taps = p_.taps();
    for (std::int64_t k = 0; k < p_.depth(); ++k) {
      const std::int64_t tap = channels_outside ? k % taps : k / channels;
      const std::int64_t c = channels_outside ? k / taps : k % channels;
      offsets_.push_back(static_cast<std::int32_t>(tap / p_.kw * p_.dh * at_.width + tap % p_.kw * p_.dw +
                                                   c * at_.plane));
    }
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const float* src = run.src;
    if (!at_.in_place) {
      float* planes = static_cast<float*>(run.workspace);
      at_.fill(p_, layout_, pixel_, *transpose_, src, planes, run.threads);
      src = planes;
    }
    // Some rows of an image, or stretches of a long one, are the chunks.
    const std::int64_t oh = p_.oh(), ow = p_.ow();
    const std::int64_t stretch = std::max<std::int64_t>(kStretch, (ow + 63) / 64);
    const std::int64_t stretches = (ow + stretch - 1) / stretch;
    const std::int64_t height = chunk_rows(run.threads), heights = (oh + height - 1) / height;
    parallel_for(p_.mb * p_.g * heights * stretches, run.threads, [&](std::int64_t index, int) {
      const std::int64_t x0 = index % stretches * stretch;
      index /= stretches;
      const std::int64_t y0 = index % heights * height, plane = index / heights;
      const Block block{plane / p_.g, plane % p_.g, y0, std::min(oh, y0 + height), x0, std::min(ow, x0 + stretch)};
      run_block(run, src + block.image * at_.image + block.group * p_.icg() * at_.plane, block);
    });
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
  static constexpr std::int64_t kBlockFloats = 6144;

  struct Block {
    std::int64_t image, group, y0, y1, x0, x1;
  };

  // Rows that share a chunk: their pixels and outputs stay in L1.
  std::int64_t chunk_rows(int threads) const {
    const std::int64_t oh = p_.oh(), least = std::min(oh, tile_rows_);
    std::int64_t rows = kBlockFloats / (p_.ow() * (p_.icg() + p_.ocg()));
    if (threads > 1) rows = std::min(rows, p_.mb * p_.g * oh / (4 * threads));
    rows = std::clamp(rows, least, oh);
    const std::int64_t chunks = (oh + rows - 1) / rows;
    return (oh + chunks - 1) / chunks;
  }

  void run_block(const Conv2dRun& run, const float* src, const Block& block) const {
    const PackedWeights& weights = groups_[static_cast<std::size_t>(block.group)];
    const std::int64_t ow = p_.ow(), plane = p_.oh() * ow;
    const std::int64_t first = (block.image * p_.oc + block.group * p_.ocg()) * plane;
    PlanarTile tile;
    tile.offsets = offsets_.data();
    tile.depth = p_.depth();
    tile.dst_stride = plane;
    tile.src_row = p_.sh * at_.width;
    tile.dst_row = ow;
    tile.plus_zero = plus_zero_;
    tile.clamped = activation_.is_clamp() && activation_.kind != ActivationKind::none;
    tile.lo = activation_.lo();
    tile.hi = activation_.hi();
    for (const WeightPanel& panel : weights.panels()) {
      const PlanarKernel& kernel = planar_kernels()[panel.row];
      const TileShape shape(kernel, near_);
      tile.weights = weights.panel_data(panel);
      tile.bias = weights.panel_bias(panel);
      tile.channels = panel.columns;
      const BalancedTiles heights(block.y1 - block.y0, static_cast<int>(shape.rows));
      for (std::int64_t t = 0; t < heights.count; ++t) {
        const std::int64_t y = block.y0 + heights.first_row(t);
        for (std::int64_t x = block.x0; x < block.x1; x += tile.pixels) {
          const std::int64_t at = first + panel.first_column * plane + y * ow + x;
          tile.pixels = static_cast<int>(std::min(shape.pixels, block.x1 - x));
          tile.src = src + y * tile.src_row + x;
          tile.dst = run.dst + at;
          tile.residual = run.residual ? run.residual + at : nullptr;
          kernel.tiles->get(heights.height_of(t), shape.vectors_of(tile.pixels))(tile);
        }
      }
    }
    if (activation_.is_clamp()) return;
    // Whole rows of a plane follow one another.
    float* dst = run.dst + first + block.y0 * ow + block.x0;
    const std::int64_t width = block.x1 - block.x0, height = block.y1 - block.y0;
    if (width == ow) return activate_rows(activation_, cap_, dst, p_.ocg(), height * ow, plane);
    for (std::int64_t y = 0; y < height; ++y)
      activate_rows(activation_, cap_, dst + y * ow, p_.ocg(), width, plane);
  }

  Conv2dProblem p_, near_;  // near_: what the tiles are shaped for
  Activation activation_;
  Isa cap_;
  Layout layout_;
  std::int64_t pixel_;  // of an NHWC source
  bool plus_zero_;
  Planes at_;
  const TransposeKernel* transpose_;
  std::vector<PackedWeights> groups_;
  std::vector<std::int32_t> offsets_;
  std::int64_t tile_rows_ = 1;  // of the tallest tile
};

constexpr double kTileCycles = 40.0;

}  // namespace

Verdict consider_planar(const Conv2dProblem& problem, const Conv2dRequest& request) {
  if (problem.sw != 1) return refuse("the horizontal stride is " + std::to_string(problem.sw));
  const Conv2dProblem p = flattened(problem);
  const Planes at(p, request.src_layout);
  if (at.reach(p) > std::numeric_limits<std::int32_t>::max())
    return refuse("one filter spans more than 2^31 floats of the input");
  const std::vector<WeightPanel> panels = planar_panels(p, request);
  if (panels.empty() && p.oc > 0)
    return refuse(no_panel_reason("planar", request.max_isa, request.kernel));
  Verdict verdict{true, "", 0.0, at.bytes(p), request.src_layout, Layout::nchw};
  const Conv2dProblem near = at_once(p, request.accuracy);
  const double depth = static_cast<double>(p.depth());
  for (const WeightPanel& panel : panels) {
    const PlanarKernel& kernel = planar_kernels()[panel.row];
    const TileShape shape(kernel, near);
    const double rate = fmas_per_cycle(kernel.info.isa);  // of loads as well
    const std::int64_t of_row = (p.ow() + shape.lanes - 1) / shape.lanes;
    const std::int64_t tiles_across = (p.ow() + shape.pixels - 1) / std::max<std::int64_t>(1, shape.pixels);
    const double vectors = static_cast<double>(p.oh() * of_row);
    const double tiles = static_cast<double>((p.oh() + shape.rows - 1) / shape.rows * tiles_across);
    // Unaligned vectors touch two lines each; a term is bound by FMAs, by loads, by lines that come
    // from L2 when the planes' rows do not stay in L1, or by one chain's latency.
    const double fma = vectors * kernel.info.tile_cols / rate * 100.0 / kernel.info.efficiency;
    const double loads = 1.3 * (2.0 * vectors + tiles * kernel.info.tile_cols) / rate;
    const std::int64_t lines_of_tile = shape.rows * (shape.pixels / shape.lanes + 1);
    const bool spills = near.icg() * lines_of_tile * 64 > static_cast<std::int64_t>(cpu().l1d_bytes);
    const double lines = spills ? 1.3 * 2.5 * (vectors + tiles) : 0.0;
    verdict.cost += static_cast<double>(p.mb * p.g) *
                    (depth * std::max({fma, loads, lines, 1.3 * 4.0 * tiles}) + tiles * kTileCycles);
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
