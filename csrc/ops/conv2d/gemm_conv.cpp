#include "ops/conv2d/gemm_conv.h"

#include <algorithm>
#include <cstring>

#include "base/thread_pool.h"
#include "kernels/gemm/gemm.h"
#include "ops/activation.h"
#include "ops/conv2d/few_rows_conv.h"
#include "ops/gemm_panel.h"

namespace pyconv {

namespace {

// Pointers that a chunk's row table may hold, on the stack: 32 KiB.
constexpr std::int64_t kRowTable = 4096;
// Packed weights of one panel that are kept in L2 while they meet all rows of a chunk. Zen 5, L2
// 1 MiB: 256 KiB; `python -m benchmarks.bench_layers --shapes resnet` measures it again.
constexpr std::int64_t kWeightBlock = (256 << 10) / sizeof(float);

constexpr int kTallestTile = 14;
constexpr std::int64_t kRowsOfThread = 48;  // fewer fill no tiles: eight of 6 rows

// Walks the output pixels of all images in NHWC order.
struct OutputPixel {
  std::int64_t image, y, x, oh, ow;
  OutputPixel(std::int64_t row, std::int64_t height, std::int64_t width)
      : image(row / (height * width)), y(row / width % height), x(row % width), oh(height),
        ow(width) {}
  OutputPixel(std::int64_t image_, std::int64_t y_, std::int64_t x_, const Conv2dProblem& p)
      : image(image_), y(y_), x(x_), oh(p.oh()), ow(p.ow()) {}
  void advance() {
    if (++x < ow) return;
    x = 0;
    if (++y < oh) return;
    y = 0;
    ++image;
  }
};

}  // namespace

// A block of rows: pixels of all images one after the other, as they lie in NHWC; whole rows of one image
// where sides are apart.
struct GemmConv::Chunk {
  std::int64_t group, row0, rows;
  std::size_t panel0, panels;
};

GemmConv::Sides GemmConv::sides_of(const Conv2dProblem& p) {
  constexpr std::int64_t kLeastTile = 4;  // pixels of a line: lower tiles wait for their weights
  const std::int64_t oh = p.oh(), ow = p.ow();
  Sides sides;
  if (p.kw == 1 || oh < kLeastTile) return sides;
  sides.left = std::min(ow, (p.pl + p.sw - 1) / p.sw);
  const std::int64_t reach = (p.kw - 1) * p.dw - p.pl;
  const std::int64_t inside = p.iw > reach ? (p.iw - reach - 1) / p.sw + 1 : 0;  // from the left
  sides.right = std::max<std::int64_t>(0, ow - std::max(inside, sides.left));
  sides.apart = sides.left + sides.right > 0;
  if (ow - sides.left - sides.right >= kLeastTile) return sides;
  sides.left = ow;
  sides.right = 0;
  return sides;
}

template <class F>
void GemmConv::each_line(const Chunk& chunk, F body) const {
  const std::int64_t oh = p_.oh(), ow = p_.ow();
  Line line{chunk.row0 / (oh * ow), chunk.row0 / ow % oh, chunk.row0 % ow, chunk.rows, false};
  if (!sides_.apart) return body(line);
  const std::int64_t height = chunk.rows / ow, y0 = line.y;
  line.down = true;
  line.count = height;
  for (line.x = 0; line.x < ow; ++line.x) {
    if (line.x == sides_.left) line.x = ow - sides_.right;
    if (line.x < ow) body(line);
  }
  line.down = false;
  line.x = sides_.left;
  line.count = ow - sides_.left - sides_.right;
  for (line.y = y0; line.count > 0 && line.y < y0 + height; ++line.y) body(line);
}

// Blocks of at most so many rows.
std::int64_t GemmConv::blocks_of(std::int64_t rows) const {
  if (!sides_.apart) return (m_ + rows - 1) / rows;
  const std::int64_t heights = std::max<std::int64_t>(1, rows / p_.ow());
  return p_.mb * ((p_.oh() + heights - 1) / heights);
}

void GemmConv::place_chunk(std::int64_t block, std::int64_t rows, Chunk* chunk) const {
  if (!sides_.apart) {
    chunk->row0 = block * rows;
    chunk->rows = std::min(rows, m_ - chunk->row0);
    return;
  }
  const std::int64_t oh = p_.oh(), parts = blocks_of(rows) / p_.mb;
  const std::int64_t y0 = oh * (block % parts) / parts, y1 = oh * (block % parts + 1) / parts;
  chunk->row0 = (block / parts * oh + y0) * p_.ow();
  chunk->rows = (y1 - y0) * p_.ow();
}

std::int64_t gemm_row_block(const Conv2dProblem& p) {
  const std::int64_t m = p.mb * p.oh() * p.ow();
  const std::int64_t budget = static_cast<std::int64_t>(cpu().l2_bytes / 4 / sizeof(float));
  // An unfolded row shares most of its input with its neighbours: per row about ic * sh * sw floats.
  const std::int64_t fresh = std::max<std::int64_t>(1, p.icg() * std::min(p.taps(), p.sh * p.sw));
  std::int64_t rows = std::max<std::int64_t>(4 * kTallestTile, budget / fresh);
  rows = std::min(rows, std::max<std::int64_t>(kTallestTile, kRowTable / p.taps()));
  return std::max<std::int64_t>(1, std::min(rows, m));
}

namespace {

// A filter as large as its image meets all of it at once: one row of a matrix.
bool spans_image(const Conv2dProblem& p) {
  return p.g == 1 && !p.padded() && p.kh == p.ih && p.kw == p.iw;
}

Conv2dProblem as_rows(Conv2dProblem p) {
  if (p.taps() == 1 || !spans_image(p)) return p;
  p.ic *= p.ih * p.iw;
  p.ih = p.iw = p.kh = p.kw = p.sh = p.sw = p.dh = p.dw = 1;
  return p;
}

}  // namespace

GemmConv::GemmConv(RowSource source, const Conv2dProblem& p, const Conv2dRequest& request,
                   const float* weight, const float* bias)
    : source_(source), p_(source == RowSource::pointwise ? as_rows(p) : p), pixel_(p, request), activation_(request.activation), cap_(request.max_isa),
      threads_(request.threads), plus_zero_(request.accuracy == Accuracy::exact),
      fetch_dst_(streams_through_l2(p)), m_(p.mb * p.oh() * p.ow()) {
  row_block_ = gemm_row_block(p_);
  if (p_.ic != p.ic) pixel_.src = p_.ic;
  if (source == RowSource::implicit_gemm) {
    gemm_taps_ = p.taps();
    gemm_depth_ = p.icg();
    zero_row_ = AlignedBuffer(static_cast<std::size_t>(std::max<std::int64_t>(1, p.icg())) *
                              sizeof(float));
    std::memset(zero_row_.data(), 0, zero_row_.bytes());
  } else {
    gemm_depth_ = p.depth();
  }
  const std::vector<WeightPanel> panels =
      plan_panels(gemm_registry(), p.ocg(), p.mb * p.oh() * p.ow(), p.depth(), request.max_isa,
                  request.kernel);
  groups_.reserve(static_cast<std::size_t>(p.g));
  for (std::int64_t g = 0; g < p.g; ++g)
    groups_.emplace_back(panels, p.ocg(), p.icg(), p.taps(), weight + g * p.ocg() * p.depth(),
                         bias ? bias + g * p.ocg() : nullptr);
  skips_ = source == RowSource::implicit_gemm && p.padded();
  for (const PackedWeights& group : groups_) skips_ = skips_ && group.finite();
  if (skips_) sides_ = sides_of(p);
  // A chunk has whole rows then, and its table of pointers must hold them.
  if (sides_.apart && p.ow() > kRowTable) sides_ = Sides{};
}

std::size_t GemmConv::workspace_bytes() const {
  if (source_ != RowSource::im2col) return 0;
  return static_cast<std::size_t>(threads_ * row_block_ * p_.depth()) * sizeof(float);
}

std::size_t GemmConv::packed_bytes() const {
  std::size_t bytes = zero_row_.bytes();
  for (const PackedWeights& group : groups_) bytes += group.bytes();
  return bytes;
}

std::string GemmConv::kernels() const {
  return groups_.empty() ? "" : kernel_names(groups_.front().panels());
}

// Blocks of depth gather their sums in dst.
bool GemmConv::residual_in_place() const {
  int widest = 1;
  for (const WeightPanel& panel : groups_.front().panels()) widest = std::max(widest, panel.kernel->tile_cols);
  return gemm_taps_ == 1 && gemm_depth_ <= kWeightBlock / widest;
}

// Threads take rows, so that each finds in its own cache what it wrote in the layer before; panels of weights
// where there are too few rows to fill tiles.
GemmConv::Cut GemmConv::cut_for(int threads) const {
  const std::size_t panels = groups_.front().panels().size();
  const std::int64_t blocks = (m_ + row_block_ - 1) / row_block_;
  Cut cut{std::max<std::int64_t>(1, (m_ + blocks - 1) / std::max<std::int64_t>(1, blocks)),
          std::max<std::size_t>(1, panels)};
  if (threads <= 1 || p_.g >= 4 * threads) return cut;
  if (m_ >= kRowsOfThread * threads) {
    std::int64_t parts = std::clamp<std::int64_t>(m_ / kRowsOfThread, threads, 4 * threads);
    parts = std::max(blocks, parts / threads * threads);
    cut.rows = std::max<std::int64_t>(1, (m_ + parts - 1) / parts);
    return cut;
  }
  const std::size_t wanted = static_cast<std::size_t>(4 * threads);
  cut.panels = (panels + wanted - 1) / wanted;
  // Few panels do not come out even: half the rows each, then.
  if (panels < wanted && panels % static_cast<std::size_t>(threads) != 0 && m_ >= 24)
    cut.rows = std::min(cut.rows, (m_ + 1) / 2);
  return cut;
}

void GemmConv::run(const Conv2dRun& run) const {
  if (p_.dst_size() == 0) return;
  const std::size_t panels = groups_.front().panels().size();
  const Cut cut = cut_for(run.threads);
  const std::size_t panel_group = cut.panels;
  const std::int64_t block = cut.rows;
  const std::int64_t panel_groups =
      static_cast<std::int64_t>((panels + panel_group - 1) / panel_group);
  const std::int64_t blocks = blocks_of(block);
  float* workspace = static_cast<float*>(run.workspace);
  parallel_for(p_.g * blocks * panel_groups, run.threads,
               [&](std::int64_t index, int worker) {
                 Chunk chunk;
                 chunk.panel0 = static_cast<std::size_t>(index % panel_groups) * panel_group;
                 chunk.panels = std::min(panel_group, panels - chunk.panel0);
                 index /= panel_groups;
                 place_chunk(index % blocks, block, &chunk);
                 chunk.group = index / blocks;
                 run_chunk(run, chunk, workspace + worker * row_block_ * p_.depth());
               });
}

void GemmConv::run_chunk(const Conv2dRun& run, const Chunk& chunk, float* scratch) const {
  const PackedWeights& weights = groups_[static_cast<std::size_t>(chunk.group)];
  if (source_ == RowSource::im2col) unfold(run, chunk, scratch);
  const int widest = weights.panels()[chunk.panel0].kernel->tile_cols;
  const std::int64_t block_depth = std::max<std::int64_t>(64, kWeightBlock / widest);
  // Blocks of whole taps, or of channels where there is one tap.
  std::int64_t tap_block = gemm_taps_, channel_block = gemm_depth_;
  if (gemm_taps_ > 1)
    tap_block = std::max<std::int64_t>(1, block_depth / std::max<std::int64_t>(1, gemm_depth_));
  else
    channel_block = block_depth;
  tap_block = std::min(tap_block, std::max<std::int64_t>(1, kRowTable / chunk.rows));
  const bool streams = weights.bytes() > cpu().l1d_bytes;
  const float* rows[kRowTable];
  std::int64_t tap0 = 0;
  do {
    const std::int64_t taps = std::min(tap_block, gemm_taps_ - tap0);
    std::int64_t c0 = 0;
    do {
      const std::int64_t channels = std::min(channel_block, gemm_depth_ - c0);
      int filled_for = 0;
      std::int64_t tiles = 0;
      for (std::size_t i = 0; i < chunk.panels; ++i) {
        const WeightPanel& panel = weights.panels()[chunk.panel0 + i];
        const int most = panel.kernel->tile_rows;
        if (most != filled_for) {
          fill_rows(run, chunk, tap0, taps, c0, most, scratch, rows);
          tiles = 0;
          each_line(chunk, [&](const Line& line) { tiles += BalancedTiles(line.count, most).count; });
        }
        filled_for = most;
        run_panel(run, chunk, panel, tap0, taps, c0, channels, rows, tiles,
                  streams ? upcoming(chunk, i, (tap0 * gemm_depth_ + c0), taps * channels) : nullptr);
      }
      c0 += channels;
    } while (c0 < gemm_depth_);
    tap0 += taps;
  } while (tap0 < gemm_taps_);
  if (activation_.is_clamp()) return;
  const WeightPanel& head = weights.panels()[chunk.panel0];
  const WeightPanel& tail = weights.panels()[chunk.panel0 + chunk.panels - 1];
  float* dst = run.dst + chunk.row0 * pixel_.dst + chunk.group * p_.ocg() +
               head.first_column;
  activate_rows(activation_, cap_, dst, chunk.rows,
                tail.first_column + tail.columns - head.first_column, pixel_.dst);
}

// The packed weights that are wanted after block [k0, k0 + depth) of the chunk's panel `index`: the
// same block of the next panel, or the next block of the first.
const float* GemmConv::upcoming(const Chunk& chunk, std::size_t index, std::int64_t k0,
                                std::int64_t depth) const {
  const PackedWeights& weights = groups_[static_cast<std::size_t>(chunk.group)];
  const bool wraps = index + 1 == chunk.panels;
  const WeightPanel& panel = weights.panels()[chunk.panel0 + (wraps ? 0 : index + 1)];
  std::int64_t k = wraps ? k0 + depth : k0;
  if (k >= gemm_taps_ * gemm_depth_) k = 0;
  return weights.panel_data(panel) + k * panel.kernel->tile_cols;
}

const float* GemmConv::pixel(const float* src, std::int64_t image, std::int64_t group,
                             std::int64_t y, std::int64_t x) const {
  if (y < 0 || y >= p_.ih || x < 0 || x >= p_.iw) return zero_row_.floats();
  return src + ((image * p_.ih + y) * p_.iw + x) * pixel_.src + group * p_.icg();
}

// rows[tile][tap][row of the tile], tiles balanced for a kernel of `most` rows.
void GemmConv::fill_rows(const Conv2dRun& run, const Chunk& chunk, std::int64_t tap0,
                         std::int64_t taps, std::int64_t c0, int most, const float* scratch,
                         const float** rows) const {
  if (source_ == RowSource::im2col) {
    for (std::int64_t i = 0; i < chunk.rows; ++i) rows[i] = scratch + i * p_.depth() + c0;
    return;
  }
  if (source_ == RowSource::pointwise && p_.sh == 1 && p_.sw == 1) {
    const float* first = run.src + chunk.row0 * pixel_.src + chunk.group * p_.icg() + c0;
    for (std::int64_t i = 0; i < chunk.rows; ++i) rows[i] = first + i * pixel_.src;
    return;
  }
  each_line(chunk, [&](const Line& line) {
    fill_line(run, line, chunk.group, tap0, taps, c0, most, rows);
    rows += taps * line.count;
  });
}

void GemmConv::fill_line(const Conv2dRun& run, const Line& line, std::int64_t group, std::int64_t tap0,
                         std::int64_t taps, std::int64_t c0, int most, const float** rows) const {
  const BalancedTiles tiles(line.count, most);
  const float* const outside = zero_row_.floats() + c0;
  OutputPixel at(line.image, line.y, line.x, p_);
  for (std::int64_t tile = 0; tile < tiles.count; ++tile) {
    const int height = tiles.height_of(tile);
    for (int i = 0; i < height; ++i) {
      const std::int64_t y0 = at.y * p_.sh - p_.pt, x0 = at.x * p_.sw - p_.pl;
      if (source_ == RowSource::pointwise) {
        rows[i] = pixel(run.src, at.image, group, y0, x0) + c0;
        at.advance();
        continue;
      }
      std::int64_t r = tap0 / p_.kw, s = tap0 % p_.kw;
      for (std::int64_t t = 0; t < taps; ++t) {
        rows[t * height + i] =
            pixel(run.src, at.image, group, y0 + r * p_.dh, x0 + s * p_.dw) + c0;
        if (++s == p_.kw) {
          s = 0;
          ++r;
        }
      }
      if (line.down)
        ++at.y;
      else
        at.advance();
    }
    // Of one short tap the multiplication may choose other heights.
    const bool skips = skips_ && (taps > 1 || gemm_depth_ > kShortDepth);
    for (std::int64_t t = 0; skips && t < taps; ++t) {
      const float** of_tap = rows + t * height;
      if (std::all_of(of_tap, of_tap + height, [&](const float* row) { return row == outside; })) *of_tap = nullptr;
    }
    rows += taps * height;
  }
}

void GemmConv::unfold(const Conv2dRun& run, const Chunk& chunk, float* scratch) const {
  const std::int64_t ow = p_.ow(), channels = p_.icg();
  if (channels == 0) return;
  const std::size_t bytes = static_cast<std::size_t>(channels) * sizeof(float);
  OutputPixel at(chunk.row0, p_.oh(), ow);
  for (std::int64_t i = 0; i < chunk.rows; ++i, at.advance()) {
    const std::int64_t y0 = at.y * p_.sh - p_.pt, x0 = at.x * p_.sw - p_.pl;
    for (std::int64_t r = 0; r < p_.kh; ++r) {
      for (std::int64_t s = 0; s < p_.kw; ++s, scratch += channels) {
        const std::int64_t y = y0 + r * p_.dh, x = x0 + s * p_.dw;
        if (y < 0 || y >= p_.ih || x < 0 || x >= p_.iw)
          std::memset(scratch, 0, bytes);
        else
          std::memcpy(scratch, pixel(run.src, at.image, chunk.group, y, x), bytes);
      }
    }
  }
}

void GemmConv::run_panel(const Conv2dRun& run, const Chunk& chunk, const WeightPanel& panel,
                         std::int64_t tap0, std::int64_t taps, std::int64_t c0,
                         std::int64_t channels, const float* const* rows,
                         std::int64_t tiles, const float* next) const {
  const PackedWeights& weights = groups_[static_cast<std::size_t>(chunk.group)];
  const GemmKernel& kernel = gemm_kernels()[panel.row];
  const KernelInfo& info = kernel.info;
  const std::int64_t k0 = tap0 * gemm_depth_ + c0;
  GemmTiles tile;
  tile.taps = taps;
  tile.depth = channels;
  tile.panel = weights.panel_data(panel) + k0 * info.tile_cols;
  tile.out.columns = panel.columns;
  tile.out.bias = weights.panel_bias(panel);
  tile.out.first = k0 == 0;
  tile.out.last = k0 + taps * channels == gemm_taps_ * gemm_depth_;
  tile.out.plus_zero = plus_zero_;
  tile.out.fetch_dst = fetch_dst_;
  tile.out.clamped = activation_.is_clamp() && activation_.kind != ActivationKind::none;
  tile.out.lo = activation_.lo();
  tile.out.hi = activation_.hi();
  const std::int64_t column = chunk.group * p_.ocg() + panel.first_column;
  tile.rows = rows;
  fetch_next(tile, kernel, tiles * tallest_tile(kernel, tile), next);
  each_line(chunk, [&](const Line& line) {
    const std::int64_t first = (line.image * p_.oh() + line.y) * p_.ow() + line.x, step = line.down ? p_.ow() : 1;
    tile.out.dst = run.dst + first * pixel_.dst + column;
    tile.out.dst_stride = step * pixel_.dst;
    if (run.residual) tile.out.residual = run.residual + first * pixel_.residual + column;
    tile.out.residual_stride = step * pixel_.residual;
    const std::int64_t done = multiply_panel(kernel, tile, line.count);
    tile.rows += taps * line.count;
    if (tile.prefetch) tile.prefetch += done * taps * (channels / 4) * tile.prefetch_lines * 16;
  });
}

namespace {

// The share of the taps along one axis that meet the input.
double inside(std::int64_t size, std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
              std::int64_t padding) {
  std::int64_t met = 0;
  for (std::int64_t tap = 0; tap < kernel; ++tap) {
    const std::int64_t at = tap * dilation - padding;
    const std::int64_t first = at < 0 ? (-at + stride - 1) / stride : 0;
    const std::int64_t last = at < size ? (size - 1 - at) / stride + 1 : 0;
    met += std::max<std::int64_t>(0, std::min(last, out) - first);
  }
  return static_cast<double>(met) / static_cast<double>(std::max<std::int64_t>(1, out * kernel));
}

Verdict consider_gemm(RowSource source, const Conv2dProblem& p, const Conv2dRequest& request) {
  const std::vector<WeightPanel> panels =
      plan_panels(gemm_registry(), p.ocg(), p.mb * p.oh() * p.ow(), p.depth(), request.max_isa,
                  request.kernel);
  if (panels.empty() && p.oc > 0)
    return refuse(no_panel_reason("gemm", request.max_isa, request.kernel));
  const double m = static_cast<double>(p.mb * p.oh() * p.ow()), groups = static_cast<double>(p.g);
  Verdict verdict{true, "", 0.0, 0};
  verdict.cost = groups * gemm_cycles(panels, p.mb * p.oh() * p.ow(), p.depth());
  if (source == RowSource::implicit_gemm && p.padded())
    verdict.cost *= inside(p.ih, p.oh(), p.kh, p.sh, p.dh, p.pt) * inside(p.iw, p.ow(), p.kw, p.sw, p.dw, p.pl);
  if (source == RowSource::implicit_gemm)
    // Per tap and row: four cycles to make the pointer, 26 to turn to it in every panel (Zen 4).
    verdict.cost += m * groups * static_cast<double>(p.taps()) *
                    (4.0 + 26.0 * static_cast<double>(panels.size()));
  if (source == RowSource::im2col) {
    const double floats = m * groups * static_cast<double>(p.depth());
    verdict.cost += m * groups * static_cast<double>(p.taps()) * 12.0 + floats;
    verdict.workspace_bytes = static_cast<std::size_t>(request.threads * gemm_row_block(p) *
                                                       p.depth()) * sizeof(float);
  }
  return verdict;
}

}  // namespace

Verdict consider_pointwise(const Conv2dProblem& p, const Conv2dRequest& request) {
  if (p.taps() != 1 && !spans_image(p))
    return refuse("the kernel is " + std::to_string(p.kh) + "x" + std::to_string(p.kw) +
                  ", not 1x1");
  if (p.padded()) return refuse("the input is padded");
  if (p.taps() != 1 && request.src_layout == Layout::nhwc && PixelStrides(p, request).src != p.ic)
    return refuse("the input is some channels of wider pixels");
  return consider_gemm(RowSource::pointwise, p, request);
}
Verdict consider_implicit_gemm(const Conv2dProblem& p, const Conv2dRequest& request) {
  return consider_gemm(RowSource::implicit_gemm, p, request);
}
Verdict consider_im2col(const Conv2dProblem& p, const Conv2dRequest& request) {
  return consider_gemm(RowSource::im2col, p, request);
}

#define PYCONV_MAKE(name)                                                                    \
  std::unique_ptr<Conv2dImpl> make_##name(const Conv2dProblem& p, const Conv2dRequest& request, \
                                          const float* weight, const float* bias) {          \
    return std::make_unique<GemmConv>(RowSource::name, p, request, weight, bias);            \
  }
std::unique_ptr<Conv2dImpl> make_pointwise(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  if (has_few_rows(p, request)) return make_few_rows(p, request, weight, bias);
  return std::make_unique<GemmConv>(RowSource::pointwise, p, request, weight, bias);
}
PYCONV_MAKE(implicit_gemm)
PYCONV_MAKE(im2col)
#undef PYCONV_MAKE

}  // namespace pyconv
