// Winograd convolution F(m x m, r x r) (Lavin and Gray, arXiv:1509.09308), r = 3 with m = 2, 4, 6 and r = 5
// with m = 2, 4, and with stride 2 r = 3 with m = 2, 4 by phases, on NHWC:
//
//     tiles of src -> V [element][tile][C]          input transforms, vectors over channels
//     V[element] * weights[element] -> M[element]   the gemm family's micro-kernels
//     M -> dst                                      output transforms with bias, residual, clamp
//
// for a block of tiles at a time, and within it for a chunk of output channels at a time.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/thread_pool.h"
#include "kernels/gemm/gemm.h"
#include "kernels/winograd/winograd.h"
#include "ops/activation.h"
#include "ops/conv2d/winograd_shape.h"
#include "ops/conv2d/winograd_weights.h"
#include "ops/gemm_panel.h"

namespace pyconv {

namespace {

constexpr int kMostEdge = 8, kMostPhases = 9;
constexpr int kWidestPanel = 64;
// With three pairs of points the error is two to three times that of two: it has to be this much faster to
// be chosen.
constexpr double kThreePairsHandicap = 1.3;

// A rectangle of pixels, to L2. Tile after tile reads and writes an image in pieces that no hardware prefetcher
// follows: fetched a tile ahead, transforms of an image from beyond L2 take half their time (Zen 4, 224x224x64:
// 740 cycles for a tile's vector, 300 when fetched; to L1 as well, 790).
void fetch_pixels(const float* corner, std::int64_t rows, std::int64_t cols, std::int64_t row_stride,
                  std::int64_t pixel_stride, std::int64_t channels) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j)
      for (std::int64_t c = 0; c < channels; c += 16)
        __builtin_prefetch(corner + i * row_stride + j * pixel_stride + c, 0, 2);
}

class WinogradConv final : public Conv2dImpl {
 public:
  WinogradConv(int m, const Conv2dProblem& p, const Conv2dRequest& request, const float* weight,
               const float* bias)
      : p_(p), pixel_(p, request), activation_(request.activation), cap_(request.max_isa), threads_(request.threads),
        streams_(streams_through_l2(p, 2)), s_(m, p, request),
        weights_(m, s_.taps, s_.stride, s_.panels, s_.chunk_panels, p.ic, p.oc, weight, bias, request.threads),
        zeros_(static_cast<std::size_t>(std::max<std::int64_t>(kWidestPanel, p.ic)) *
               sizeof(float)) {
    std::memset(zeros_.data(), 0, zeros_.bytes());
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    float* workspace = static_cast<float*>(run.workspace);
    const int threads = std::min(run.threads, threads_);
    if (!s_.shared) {
      parallel_for(s_.blocks(), threads, [&](std::int64_t block, int worker) {
        float* v = workspace + worker * (s_.v_floats + s_.m_floats);
        const std::int64_t tile0 = block * s_.tile_block;
        const std::int64_t tile1 = std::min(s_.tiles, tile0 + s_.tile_block);
        for (std::int64_t tile = tile0; tile < tile1; ++tile)
          transform_input(run, tile, v + (tile - tile0) * s_.v_row);
        for (const WinogradWeights::Chunk& chunk : weights_.chunks())
          run_chunk(run, chunk, tile0, tile1, v, v + s_.v_floats);
      });
      return;
    }
    for (std::int64_t tile0 = 0; tile0 < s_.tiles; tile0 += s_.tile_block) {
      const std::int64_t tile1 = std::min(s_.tiles, tile0 + s_.tile_block);
      if (s_.own_v) {
        run_block_of_owners(run, tile0, tile1, threads, workspace);
        continue;
      }
      parallel_for(tile1 - tile0, threads, [&](std::int64_t tile, int) {
        transform_input(run, tile0 + tile, workspace + tile * s_.v_row);
      });
      parallel_for(static_cast<std::int64_t>(weights_.chunks().size()), threads,
                   [&](std::int64_t chunk, int worker) {
                     run_chunk(run, weights_.chunks()[static_cast<std::size_t>(chunk)], tile0, tile1,
                               workspace, workspace + s_.v_floats + worker * s_.m_floats);
                   });
    }
  }

  std::size_t workspace_bytes() const override { return s_.workspace_bytes(threads_); }
  std::size_t packed_bytes() const override { return weights_.bytes() + zeros_.bytes(); }
  bool residual_in_place() const override { return true; }
  std::string kernels() const override {
    return std::string(s_.transforms->info.name) + "," + kernel_names(s_.panels);
  }

 private:
  void run_block_of_owners(const Conv2dRun& run, std::int64_t tile0, std::int64_t tile1, int threads,
                           float* workspace) const {
    bool made[WinogradShape::kMostOwners] = {};
    parallel_for(static_cast<std::int64_t>(weights_.chunks().size()), threads,
                 [&](std::int64_t chunk, int worker) {
                   float* v = workspace + worker * (s_.v_floats + s_.m_floats);
                   for (std::int64_t tile = tile0; tile < tile1 && !made[worker]; ++tile)
                     transform_input(run, tile, v + (tile - tile0) * s_.v_row);
                   made[worker] = true;
                   run_chunk(run, weights_.chunks()[static_cast<std::size_t>(chunk)], tile0, tile1, v,
                             v + s_.v_floats);
                 });
  }

  struct TilePlace {
    std::int64_t image, y, x;  // first output
  };
  TilePlace place(std::int64_t tile) const {
    const std::int64_t in_image = tile % (s_.tiles_h * s_.tiles_w);
    return {tile / (s_.tiles_h * s_.tiles_w), in_image / s_.tiles_w * s_.m,
            in_image % s_.tiles_w * s_.m};
  }

  void transform_input(const Conv2dRun& run, std::int64_t tile, float* v) const {
    const TilePlace at = place(tile);
    const int alpha = s_.edge();
    const std::int64_t y0 = at.y * s_.stride - p_.pt, x0 = at.x * s_.stride - p_.pl;
    const float* image = run.src + at.image * p_.ih * p_.iw * pixel_.src;
    WinogradInput in;
    in.channels = p_.ic;
    in.dst = v;
    in.element_stride = s_.v_element;
    in.pixel_stride = pixel_.src;
    in.row_stride = p_.iw * pixel_.src;
    const float* pixels[kMostPhases * kMostPhases];
    if (s_.stride == 1 && y0 >= 0 && x0 >= 0 && y0 + alpha <= p_.ih && x0 + alpha <= p_.iw) {
      in.src = image + y0 * in.row_stride + x0 * pixel_.src;
    } else {
      const auto within = [alpha](std::int64_t at) { return static_cast<int>(std::clamp<std::int64_t>(at, 0, alpha)); };
      const int left = within(-x0), right = within(p_.iw - x0), above = within(-y0), below = within(p_.ih - y0);
      std::fill_n(pixels, alpha * alpha, zeros_.floats());
      for (int i = above; i < below; ++i)
        for (int j = left; j < right; ++j)
          pixels[i * alpha + j] = image + (y0 + i) * in.row_stride + (x0 + j) * pixel_.src;
      in.pixels = pixels;
    }
    if (streams_) {
      const std::int64_t top = std::max<std::int64_t>(0, y0), bottom = std::min(p_.ih, y0 + alpha);
      const std::int64_t left = x0 + alpha, right = std::min(p_.iw, left + s_.m * s_.stride);
      fetch_pixels(image + top * in.row_stride + left * pixel_.src, bottom - top, right - left, in.row_stride,
                   pixel_.src, p_.ic);
    }
    s_.transforms->transforms->input(in);
  }

  void run_chunk(const Conv2dRun& run, const WinogradWeights::Chunk& chunk, std::int64_t tile0,
                 std::int64_t tile1, const float* v, float* products) const {
    for (int e = 0; e < s_.weight_elements(); ++e) multiply(chunk, e, tile1 - tile0, v, products);
    for (std::int64_t tile = tile0; tile < tile1; ++tile)
      transform_output(run, chunk, tile, products + (tile - tile0) * s_.m_row);
  }

  // All elements that share the weights of `element`, panel by panel.
  void multiply(const WinogradWeights::Chunk& chunk, int element, std::int64_t count, const float* v,
                float* products) const {
    const float* rows[WinogradShape::kMostTiles];
    const int last = s_.weight_edge() - 1, row = element / (last + 1), column = element % (last + 1);
    const int below = row == last ? s_.edge() : row + 1, beyond = column == last ? s_.edge() : column + 1;
    const std::int64_t sharing = (below - row) * (beyond - column);
    GemmTiles tile;
    tile.depth = p_.ic;
    tile.rows = rows;
    tile.panel = weights_.element(chunk, element);
    tile.out.dst_stride = s_.m_row;
    tile.out.bias = zeros_.floats();
    tile.out.plus_zero = false;
    for (std::size_t n = chunk.panel0; n < chunk.panel0 + chunk.panels; ++n) {
      const WeightPanel& panel = weights_.panels()[n];
      const GemmKernel& kernel = gemm_kernels()[panel.row];
      const std::int64_t floats = p_.ic * kernel.info.tile_cols;
      const float* next = tile.panel + floats;
      tile.out.columns = kernel.info.tile_cols;
      fetch_next(tile, kernel, count * sharing, next);
      for (int i = row; i < below; ++i)
        for (int j = column; j < beyond; ++j) {
          const std::int64_t e = i * s_.edge() + j;
          for (std::int64_t t = 0; t < count; ++t) rows[t] = v + e * s_.v_element + t * s_.v_row;
          tile.out.dst = products + e * s_.m_element + panel.offset;
          const std::int64_t tiles = multiply_panel(kernel, tile, count);
          if (tile.prefetch) tile.prefetch += tiles * (p_.ic / 4) * tile.prefetch_lines * 16;
          if (tile.prefetch >= next + floats) tile.prefetch = nullptr;
        }
      tile.panel = next;
    }
  }

  void transform_output(const Conv2dRun& run, const WinogradWeights::Chunk& chunk,
                        std::int64_t tile, const float* products) const {
    const TilePlace at = place(tile);
    const std::int64_t oh = p_.oh(), ow = p_.ow();
    const std::int64_t first = (at.image * oh + at.y) * ow + at.x;
    WinogradOutput out;
    out.src = products;
    out.element_stride = s_.m_element;
    out.dst = run.dst + first * pixel_.dst + chunk.first_column;
    out.row_stride = ow * pixel_.dst;
    out.pixel_stride = pixel_.dst;
    if (run.residual) out.residual = run.residual + first * pixel_.residual + chunk.first_column;
    out.residual_row = ow * pixel_.residual;
    out.residual_pixel = pixel_.residual;
    out.rows = static_cast<int>(std::min<std::int64_t>(s_.m, oh - at.y));
    out.cols = static_cast<int>(std::min<std::int64_t>(s_.m, ow - at.x));
    out.channels = chunk.columns;
    out.bias = weights_.bias(chunk.first_column);
    out.lo = activation_.is_clamp() ? activation_.lo() : Activation().lo();
    out.hi = activation_.is_clamp() ? activation_.hi() : Activation().hi();
    if (streams_) {
      const std::int64_t next = std::min<std::int64_t>(s_.m, ow - at.x - s_.m);
      fetch_pixels(out.dst + s_.m * out.pixel_stride, out.rows, next, out.row_stride, out.pixel_stride, out.channels);
      if (out.residual && out.residual != out.dst)
        fetch_pixels(out.residual + s_.m * out.residual_pixel, out.rows, next, out.residual_row, out.residual_pixel,
                     out.channels);
    }
    s_.transforms->transforms->output(out);
    if (activation_.is_clamp()) return;
    for (int i = 0; i < out.rows; ++i)
      activate_rows(activation_, cap_, out.dst + i * out.row_stride, out.cols, out.channels,
                    pixel_.dst);
  }

  Conv2dProblem p_;
  PixelStrides pixel_;
  Activation activation_;
  Isa cap_;
  int threads_;
  bool streams_;  // src and dst come from well beyond L2
  WinogradShape s_;
  WinogradWeights weights_;
  AlignedBuffer zeros_;  // a pixel outside the image; the bias of the products
};

std::string pair_text(std::int64_t h, std::int64_t w) {
  return std::to_string(h) + "x" + std::to_string(w);
}

Verdict consider_winograd(int m, const Conv2dProblem& p, const Conv2dRequest& request) {
  const bool five = m + 4 <= kMostEdge && p.kh == 5 && p.kw == 5;
  if (!five && (p.kh != 3 || p.kw != 3))
    return refuse("the kernel is " + pair_text(p.kh, p.kw) + ", not 3x3" +
                  (m + 4 <= kMostEdge ? " or 5x5" : ""));
  const bool phases = !five && m <= 4;
  if (p.sh != p.sw || (p.sh != 1 && (p.sh != 2 || !phases)))
    return refuse("the stride is " + pair_text(p.sh, p.sw) + (phases ? ", not 1x1 or 2x2" : ", not 1"));
  if (p.dh != 1 || p.dw != 1) return refuse("the dilation is " + pair_text(p.dh, p.dw) + ", not 1");
  if (p.g != 1) return refuse("the convolution has " + std::to_string(p.g) + " groups, not one");
  if (p.ic == 0 || p.oc == 0) return refuse("there are no channels");
  if (request.accuracy == Accuracy::exact)
    return refuse("accuracy is exact, and transforms round differently");
  const double least = WinogradShape::least_cycles(m, p);
  if (least > request.enough) return {true, "", least, 0};
  const WinogradShape s(m, p, request);
  if (!s.transforms)
    return refuse("kernel '" + request.kernel + "' is no gemm or winograd_f" + std::to_string(m) +
                  " row that " + isa_name(request.max_isa) + " allows");
  Verdict verdict{true, "", s.cycles(p), s.workspace_bytes(request.threads)};
  if (s.pairs() == 3) verdict.cost *= kThreePairsHandicap;
  if (request.one_shot) verdict.cost += s.packing_cycles(p);
  return verdict;
}

}  // namespace

#define PYCONV_WINOGRAD(name, m)                                                             \
  Verdict consider_##name(const Conv2dProblem& p, const Conv2dRequest& request) {            \
    return consider_winograd(m, p, request);                                                 \
  }                                                                                          \
  std::unique_ptr<Conv2dImpl> make_##name(const Conv2dProblem& p, const Conv2dRequest& request, \
                                          const float* weight, const float* bias) {          \
    return std::make_unique<WinogradConv>(m, p, request, weight, bias);                      \
  }
PYCONV_WINOGRAD(winograd_f2, 2)
PYCONV_WINOGRAD(winograd_f4, 4)
PYCONV_WINOGRAD(winograd_f6, 6)
#undef PYCONV_WINOGRAD

}  // namespace pyconv
