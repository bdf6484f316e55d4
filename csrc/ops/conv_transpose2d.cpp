#include "ops/conv_transpose2d.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/gemm/gemm.h"
#include "ops/activation.h"
#include "ops/extents.h"
#include "ops/gemm_panel.h"
#include "ops/layout.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Pointers of one job's row table, on the stack: 32 KiB.
constexpr std::int64_t kRowTable = 4096;
// Packed weights of one panel that are kept in L2 while they meet all rows of a job (gemm_conv.cpp).
constexpr std::int64_t kWeightBlock = (256 << 10) / sizeof(float);

std::size_t padded_bytes(std::int64_t floats) {
  return (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
}

void check_axis(const char* axis, std::int64_t in, std::int64_t out, std::int64_t kernel,
                std::int64_t stride, std::int64_t dilation, std::int64_t before,
                std::int64_t after, std::int64_t extra) {
  need_extent((std::string("x ") + axis).c_str(), in, 1);
  need_extent((std::string("kernel ") + axis).c_str(), kernel, 1);
  need_extent("stride", stride, 1);
  need_extent("dilation", dilation, 1);
  need_extent("padding", before, 0);
  need_extent("padding", after, 0);
  need_extent("output_padding", extra, 0);
  if (extra >= std::max(stride, dilation))
    throw InvalidArgument("output_padding: expected less than stride " + std::to_string(stride) +
                          " or dilation " + std::to_string(dilation) + ", got " +
                          std::to_string(extra));
  if (out < 1)
    throw InvalidArgument(std::string("padding: leaves an output ") + axis + " of (" +
                          std::to_string(in) + " - 1)*" + std::to_string(stride) + " - " +
                          std::to_string(before + after) + " + " + std::to_string(dilation) +
                          "*(" + std::to_string(kernel) + " - 1) + " + std::to_string(extra) +
                          " + 1 = " + std::to_string(out));
}

}  // namespace

void ConvTranspose2dProblem::validate() const {
  need_extent("batch", mb, 0);
  need_extent("groups", g, 1);
  need_extent("in_channels", ic, 0);
  need_extent("out_channels", oc, 0);
  if (ic % g != 0)
    throw InvalidArgument("groups: expected a divisor of in_channels=" + std::to_string(ic) +
                          ", got " + std::to_string(g));
  for (std::int64_t stride : {sh, sw}) need_extent("stride", stride, 1);
  for (std::int64_t dilation : {dh, dw}) need_extent("dilation", dilation, 1);
  for (std::int64_t padding : {pt, pb, pl, pr}) need_extent("padding", padding, 0);
  for (std::int64_t extra : {eh, ew}) need_extent("output_padding", extra, 0);
  need_elements("output height", {ih, sh});
  need_elements("output width", {iw, sw});
  need_elements("dilation: kernel height", {kh, dh});
  need_elements("dilation: kernel width", {kw, dw});
  check_axis("height", ih, oh(), kh, sh, dh, pt, pb, eh);
  check_axis("width", iw, ow(), kw, sw, dw, pl, pr, ew);
  need_elements("x", {mb, ic, ih, iw});
  need_elements("weight", {ic, ocg(), kh, kw});
  need_elements("output", {mb, oc, oh(), ow()});
}

std::vector<ConvTranspose2dPlan::AxisPhase> ConvTranspose2dPlan::phases_of(
    std::int64_t out, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
    std::int64_t padding) {
  std::vector<AxisPhase> phases;
  for (std::int64_t first = 0; first < std::min(stride, out); ++first) {
    AxisPhase phase;
    phase.first = first;
    phase.count = (out - first + stride - 1) / stride;
    for (std::int64_t r = 0; r < kernel; ++r) {
      const std::int64_t at = first + padding - r * dilation;
      if (at % stride == 0) phase.taps.push_back({r, at / stride});
    }
    phases.push_back(std::move(phase));
  }
  return phases;
}

ConvTranspose2dPlan::ConvTranspose2dPlan(const ConvTranspose2dProblem& problem,
                                         const ConvTranspose2dRequest& request,
                                         const float* weight, const float* bias)
    : p_(problem), request_(request) {
  p_.validate();
  const FpEnvScope fp_env;
  high_ = phases_of(p_.oh(), p_.kh, p_.sh, p_.dh, p_.pt);
  wide_ = phases_of(p_.ow(), p_.kw, p_.sw, p_.dw, p_.pl);
  threads_ = threads_for(static_cast<double>(p_.macs()) / 24.0 +
                             static_cast<double>(p_.dst_size()) / 8.0,
                         request.threads);
  zero_row_ = AlignedBuffer(padded_bytes(std::max<std::int64_t>(1, p_.icg())));
  std::memset(zero_row_.data(), 0, zero_row_.bytes());
  if (p_.dst_size() == 0) return;
  pack(weight, bias);
  cut_chunks();
  if (request.layout == Layout::nchw) {
    if (p_.ic > 1 && p_.ih * p_.iw > 1) src_bytes_ = padded_bytes(p_.src_size());
    if (p_.oc > 1 && p_.oh() * p_.ow() > 1) dst_bytes_ = padded_bytes(p_.dst_size());
  }
}

void ConvTranspose2dPlan::pack(const float* weight, const float* bias) {
  const std::int64_t kernel = p_.kh * p_.kw, icg = p_.icg(), ocg = p_.ocg();
  std::vector<float> gathered;
  for (std::int64_t g = 0; g < p_.g; ++g) {
    for (std::size_t phase = 0; phase < high_.size() * wide_.size(); ++phase) {
      const AxisPhase &high = rows_of(phase), &wide = cols_of(phase);
      const std::int64_t taps = static_cast<std::int64_t>(high.taps.size() * wide.taps.size());
      gathered.resize(static_cast<std::size_t>(ocg * icg * taps));
      float* to = gathered.data();
      for (std::int64_t q = 0; q < ocg; ++q)
        for (std::int64_t c = 0; c < icg; ++c) {
          const float* from = weight + ((g * icg + c) * ocg + q) * kernel;
          for (const Tap& r : high.taps)
            for (const Tap& s : wide.taps) *to++ = from[r.index * p_.kw + s.index];
        }
      const std::vector<WeightPanel> panels =
          plan_panels(gemm_registry(), ocg, p_.mb * high.count * wide.count, icg * taps,
                      request_.max_isa, request_.kernel);
      if (panels.empty())
        throw InvalidArgument("kernel: " +
                              no_panel_reason("gemm", request_.max_isa, request_.kernel));
      weights_.emplace_back(panels, ocg, icg, taps, gathered.data(), bias ? bias + g * ocg : nullptr);
    }
  }
}

// Rows of a phase together as long as the pointers of a tap block fit the table and the input they
// reach a quarter of L2; a row that is too long for the table is cut.
void ConvTranspose2dPlan::cut_chunks() {
  const std::int64_t budget = static_cast<std::int64_t>(cpu().l2_bytes / 4 / sizeof(float));
  const std::int64_t images = p_.mb * p_.g;
  for (std::size_t phase = 0; phase < high_.size() * wide_.size(); ++phase) {
    const AxisPhase &high = rows_of(phase), &wide = cols_of(phase);
    const std::int64_t taps =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(high.taps.size() * wide.taps.size()));
    const std::int64_t pixels = std::max<std::int64_t>(1, kRowTable / taps);
    const std::int64_t cols = std::min(wide.count, pixels);
    std::int64_t rows = std::min(pixels / cols, budget / std::max<std::int64_t>(1, p_.icg() * cols));
    const std::int64_t wanted = threads_ > 1 ? 4 * threads_ : 1;
    const std::int64_t phases = static_cast<std::int64_t>(high_.size() * wide_.size());
    rows = std::min(rows, high.count * images * phases / wanted);
    rows = std::max<std::int64_t>(1, rows);
    for (std::int64_t i = 0; i < high.count; i += rows)
      for (std::int64_t j = 0; j < wide.count; j += cols)
        chunks_.push_back({phase, i, std::min(high.count, i + rows), j, std::min(wide.count, j + cols)});
  }
}

std::size_t ConvTranspose2dPlan::packed_bytes() const {
  std::size_t bytes = zero_row_.bytes();
  for (const PackedWeights& weights : weights_) bytes += weights.bytes();
  return bytes;
}

std::string ConvTranspose2dPlan::kernels() const {
  return weights_.empty() ? "" : kernel_names(weights_.front().panels());
}

void ConvTranspose2dPlan::run(const float* src, float* dst, void* workspace) const {
  if (p_.dst_size() == 0) return;
  const FpEnvScope fp_env;
  float* staged_src = static_cast<float*>(workspace);
  float* staged_dst = staged_src + src_bytes_ / sizeof(float);
  const Isa cap = request_.max_isa;
  if (src_bytes_)
    convert_layout(src, staged_src, Layout::nhwc, p_.mb, p_.ic, p_.ih * p_.iw, 0, cap, threads_);
  run_nhwc(src_bytes_ ? staged_src : src, dst_bytes_ ? staged_dst : dst);
  if (dst_bytes_)
    convert_layout(staged_dst, dst, Layout::nchw, p_.mb, p_.oc, p_.oh() * p_.ow(), 0, cap, threads_);
}

// One chunk of one image and group.
struct ConvTranspose2dPlan::Job {
  const Chunk* chunk;
  const PackedWeights* weights;
  std::int64_t group;
  const float* src;  // of the image
  float* dst;
};

void ConvTranspose2dPlan::run_nhwc(const float* src, float* dst) const {
  const std::int64_t chunks = static_cast<std::int64_t>(chunks_.size());
  const std::size_t phases = high_.size() * wide_.size();
  parallel_for(p_.mb * p_.g * chunks, threads_, [&](std::int64_t index, int) {
    Job job;
    job.chunk = &chunks_[static_cast<std::size_t>(index % chunks)];
    job.group = index / chunks % p_.g;
    const std::int64_t image = index / chunks / p_.g;
    job.weights = &weights_[static_cast<std::size_t>(job.group) * phases + job.chunk->phase];
    job.src = src + image * p_.ih * p_.iw * p_.ic;
    job.dst = dst + image * p_.oh() * p_.ow() * p_.oc;
    run_job(job);
  });
}

void ConvTranspose2dPlan::run_job(const Job& job) const {
  const Chunk& chunk = *job.chunk;
  const AxisPhase &high = rows_of(chunk.phase), &wide = cols_of(chunk.phase);
  const std::int64_t taps = static_cast<std::int64_t>(high.taps.size() * wide.taps.size());
  const std::int64_t cols = chunk.j1 - chunk.j0, row_step = p_.sh * p_.ow() * p_.oc;
  float* origin = job.dst + ((high.first + chunk.i0 * p_.sh) * p_.ow() + wide.first + chunk.j0 * p_.sw) * p_.oc +
                  job.group * p_.ocg();
  const std::int64_t depth = std::max<std::int64_t>(1, p_.icg());
  const int widest = job.weights->panels().front().kernel->tile_cols;
  const std::int64_t tap_block = std::max<std::int64_t>(1, kWeightBlock / widest / depth);
  const float* rows[kRowTable];
  std::int64_t tap0 = 0;
  do {
    const std::int64_t block = std::min(tap_block, taps - tap0);
    int filled_for = 0;
    for (const WeightPanel& panel : job.weights->panels()) {
      const GemmKernel& kernel = gemm_kernels()[panel.row];
      if (kernel.info.tile_rows != filled_for)
        fill_rows(job, tap0, block, kernel.info.tile_rows, rows);
      filled_for = kernel.info.tile_rows;
      GemmTiles tiles;
      tiles.rows = rows;
      tiles.taps = block;
      tiles.depth = p_.icg();
      tiles.panel = job.weights->panel_data(panel) + tap0 * p_.icg() * kernel.info.tile_cols;
      tiles.out.dst = origin + panel.first_column;
      tiles.out.dst_stride = p_.sw * p_.oc;
      tiles.out.columns = panel.columns;
      tiles.out.bias = job.weights->panel_bias(panel);
      tiles.out.first = tap0 == 0;
      tiles.out.last = tap0 + block == taps;
      tiles.out.clamped = request_.activation.kind != ActivationKind::none && request_.activation.is_clamp();
      tiles.out.lo = request_.activation.lo();
      tiles.out.hi = request_.activation.hi();
      for (std::int64_t i = chunk.i0; i < chunk.i1; ++i) {
        multiply_panel(kernel, tiles, cols);
        tiles.rows += cols * block;
        tiles.out.dst += row_step;
      }
    }
    tap0 += tap_block;
  } while (tap0 < taps);
  if (request_.activation.is_clamp()) return;
  for (std::int64_t i = chunk.i0; i < chunk.i1; ++i)
    activate_rows(request_.activation, request_.max_isa, origin + (i - chunk.i0) * row_step, cols,
                  p_.ocg(), p_.sw * p_.oc);
}

// rows[output row][tile][tap][column of the tile], tiles balanced for a kernel of `most` rows.
void ConvTranspose2dPlan::fill_rows(const Job& job, std::int64_t tap0, std::int64_t taps, int most,
                                    const float** rows) const {
  const Chunk& chunk = *job.chunk;
  const AxisPhase &high = rows_of(chunk.phase), &wide = cols_of(chunk.phase);
  const BalancedTiles tiles(chunk.j1 - chunk.j0, most);
  const std::int64_t across = static_cast<std::int64_t>(wide.taps.size());
  const float* src = job.src + job.group * p_.icg();
  for (std::int64_t i = chunk.i0; i < chunk.i1; ++i) {
    for (std::int64_t tile = 0; tile < tiles.count; ++tile) {
      const int width = tiles.height_of(tile);
      const std::int64_t j = chunk.j0 + tiles.first_row(tile);
      for (std::int64_t t = tap0; t < tap0 + taps; ++t) {
        const std::int64_t iy = high.taps[static_cast<std::size_t>(t / across)].offset + i;
        std::int64_t ix = wide.taps[static_cast<std::size_t>(t % across)].offset + j;
        const bool inside = iy >= 0 && iy < p_.ih;
        for (int k = 0; k < width; ++k, ++ix)
          *rows++ = inside && ix >= 0 && ix < p_.iw ? src + (iy * p_.iw + ix) * p_.ic : zero_row_.floats();
      }
    }
  }
}

}  // namespace pyconv
