#include "ops/pool.h"

#include <algorithm>

#include "base/status.h"
#include "base/thread_pool.h"
#include "ops/extents.h"
#include "ops/layout.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Input floats of one chunk of work: 128 KiB, some 3 us.
constexpr std::int64_t kChunkFloats = 32768;
// Padded rows of a plane that are kept in L1: 24 KiB.
constexpr std::int64_t kBandFloats = 6144;

std::int64_t out_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                      std::int64_t dilation, std::int64_t padding, bool ceil_mode) {
  const std::int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0) return 0;
  std::int64_t out = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (out - 1) * stride >= size + padding) --out;
  return out;
}

void check_axis(const char* axis, std::int64_t size, std::int64_t kernel, std::int64_t stride,
                std::int64_t dilation, std::int64_t padding) {
  need_extent((std::string("x ") + axis).c_str(), size, 1);
  need_extent("kernel_size", kernel, 1);
  need_extent("stride", stride, 1);
  need_extent("dilation", dilation, 1);
  need_extent("padding", padding, 0);
  if (padding > kernel / 2)
    throw InvalidArgument("padding: expected at most half of kernel_size " +
                          std::to_string(kernel) + ", got " + std::to_string(padding));
  need_elements("dilated window", {kernel, dilation});
  const std::int64_t extent = (kernel - 1) * dilation + 1;
  if (size + 2 * padding < extent)
    throw InvalidArgument(std::string("kernel_size: a window of ") + axis + " " +
                          std::to_string(extent) + " (kernel " + std::to_string(kernel) +
                          ", dilation " + std::to_string(dilation) +
                          ") does not fit an input of " + std::to_string(size) +
                          " with padding " + std::to_string(padding) + " on each side");
}

const PoolKernel& pick(PoolKind kind, bool global, bool nhwc, const PoolRequest& request) {
  for (const PoolKernel& row : pool_kernels()) {
    if (row.kind != kind || (row.global != nullptr) != global || row.nhwc != nhwc) continue;
    if (!isa_allowed(row.info.isa, request.max_isa)) continue;
    if (request.kernel.empty() || request.kernel == row.info.name) return row;
  }
  throw InvalidArgument("kernel: expected a pooling row for this operation that " +
                        std::string(isa_name(request.max_isa)) + " allows, got '" +
                        request.kernel + "'");
}

bool planes_take(const Pool2dProblem& p) { return p.sw <= kPoolPlaneMaxStride; }

// Which rows shall run: one channel is a plane in either layout; NCHW windows that the plane rows
// don't take, or that leave most of their lanes empty, go through NHWC.
bool use_nhwc(const Pool2dProblem& p, std::int64_t ow, const PoolRequest& request) {
  const bool one_channel = p.c == 1 && request.src_pixel <= 1 && request.dst_pixel <= 1;
  const bool planes =
      one_channel || (request.src_layout == Layout::nchw && request.dst_layout == Layout::nchw);
  if (request.kernel.empty())
    return !planes || !planes_take(p) || (ow <= 8 && p.c >= 8 && (ow < 4 || p.kh * p.kw > 4));
  const bool nhwc = request.kernel.find("nhwc") != std::string::npos;
  if (!nhwc && !planes)
    throw InvalidArgument("kernel: " + request.kernel + " takes layout 'nchw'");
  if (!nhwc && !planes_take(p))
    throw InvalidArgument("kernel: " + request.kernel + " takes horizontal strides up to 2");
  return nhwc;
}

PoolImage image_of(const Pool2dProblem& p, std::int64_t oh, std::int64_t ow) {
  PoolImage image;
  image.ih = p.ih, image.iw = p.iw, image.oh = oh, image.ow = ow;
  image.kh = p.kh, image.kw = p.kw, image.sh = p.sh, image.sw = p.sw;
  image.dh = p.dh, image.dw = p.dw, image.ph = p.ph, image.pw = p.pw;
  image.include_pad = p.include_pad;
  image.divisor = static_cast<float>(p.divisor);
  return image;
}

void check_stride(const char* name, std::int64_t stride, Layout layout, std::int64_t pixels,
                  std::int64_t channels) {
  if (stride == 0) return;
  if (layout != Layout::nhwc)
    throw InvalidArgument(std::string(name) + ": pixel strides are for layout 'nhwc'");
  need_extent(name, stride, channels);
  need_elements(name, {pixels, stride});
}

std::size_t padded_bytes(std::int64_t floats) {
  return (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
}

}  // namespace

std::int64_t Pool2dProblem::oh() const { return out_size(ih, kh, sh, dh, ph, ceil_mode); }
std::int64_t Pool2dProblem::ow() const { return out_size(iw, kw, sw, dw, pw, ceil_mode); }

bool pools_planes(const Pool2dProblem& p) { return !use_nhwc(p, p.ow(), {}); }

void Pool2dProblem::validate() const {
  need_extent("batch", mb, 0);
  need_extent("channels", c, 0);
  check_axis("height", ih, kh, sh, dh, ph);
  check_axis("width", iw, kw, sw, dw, pw);
  if (kind == PoolKind::avg && std::max(dh, dw) > 1)
    throw InvalidArgument("dilation: expected 1 for averages, got " +
                          std::to_string(std::max(dh, dw)));
  need_elements("x", {mb, c, ih, iw});
  need_elements("output", {mb, c, oh(), ow()});
}

Pool2dPlan::Pool2dPlan(const Pool2dProblem& problem, const PoolRequest& request)
    : problem_(problem), src_pixel_(request.src_pixel ? request.src_pixel : problem.c),
      dst_pixel_(request.dst_pixel ? request.dst_pixel : problem.c), cap_(request.max_isa) {
  problem_.validate();
  oh_ = problem_.oh();
  ow_ = problem_.ow();
  const Pool2dProblem& p = problem_;
  check_stride("src_pixel", request.src_pixel, request.src_layout, p.mb * p.ih * p.iw, p.c);
  check_stride("dst_pixel", request.dst_pixel, request.dst_layout, p.mb * oh_ * ow_, p.c);
  kernel_ = &pick(p.kind, false, use_nhwc(p, ow_, request), request);
  if (kernel_->nhwc && p.c > 1) {
    if (request.src_layout == Layout::nchw) src_bytes_ = padded_bytes(p.mb * p.c * p.ih * p.iw);
    if (request.dst_layout == Layout::nchw) dst_bytes_ = padded_bytes(p.mb * p.c * oh_ * ow_);
  }
  const double outputs = static_cast<double>(p.mb * p.c * oh_ * ow_);
  const double cycles = static_cast<double>(p.mb * p.c * p.ih * p.iw) / 8.0 +
                        outputs * static_cast<double>(p.kh * p.kw) / 10.0;
  threads_ = threads_for(cycles, request.threads);
  if (kernel_->nhwc) return;
  PoolImage image = image_of(p, oh_, ow_);
  image.row1 = 1;
  const PoolBand one = pool_band(image);
  const std::int64_t more = (kBandFloats / one.stride - one.rows) / p.sh;
  band_rows_ = image.row1 = std::min(oh_, 1 + std::max<std::int64_t>(0, more));
  scratch_floats_ = static_cast<std::int64_t>(padded_bytes(pool_scratch_floats(image)) / sizeof(float));
}

void Pool2dPlan::run(const float* src, float* dst, void* workspace) const {
  const FpEnvScope fp_env;
  const Pool2dProblem& p = problem_;
  if (p.mb * p.c == 0) return;
  if (!kernel_->nhwc) return run_nchw(src, dst, static_cast<float*>(workspace));
  float* staged_src = static_cast<float*>(workspace);
  float* staged_dst = staged_src + src_bytes_ / sizeof(float);
  if (src_bytes_)
    convert_layout(src, staged_src, Layout::nhwc, p.mb, p.c, p.ih * p.iw, 0, cap_, threads_);
  run_nhwc(src_bytes_ ? staged_src : src, src_pixel_, dst_bytes_ ? staged_dst : dst, dst_pixel_);
  if (dst_bytes_)
    convert_layout(staged_dst, dst, Layout::nchw, p.mb, p.c, oh_ * ow_, 0, cap_, threads_);
}

void Pool2dPlan::run_nhwc(const float* src, std::int64_t src_pixel, float* dst,
                          std::int64_t dst_pixel) const {
  const Pool2dProblem& p = problem_;
  const std::int64_t row_floats = std::max<std::int64_t>(1, p.sh * p.iw * p.c);
  const std::int64_t rows =
      threads_ == 1 ? oh_ : std::min(oh_, std::max<std::int64_t>(1, kChunkFloats / row_floats));
  const std::int64_t chunks = (oh_ + rows - 1) / rows;
  const bool streams = static_cast<std::size_t>(p.c * (p.ih * p.iw + oh_ * ow_)) * sizeof(float) > 2 * cpu().l2_bytes;
  parallel_for(p.mb * chunks, threads_, [&](std::int64_t index, int) {
    const std::int64_t n = index / chunks;
    PoolImage image = image_of(p, oh_, ow_);
    image.channels = p.c;
    image.src_pixel = src_pixel;
    image.dst_pixel = dst_pixel;
    image.src = src + n * p.ih * p.iw * src_pixel;
    image.dst = dst + n * oh_ * ow_ * dst_pixel;
    image.row0 = index % chunks * rows;
    image.row1 = std::min(oh_, image.row0 + rows);
    image.streams = streams;
    kernel_->window(image);
  });
}

// A band of rows at a time, so that its padded copy stays in L1, over a group of planes.
void Pool2dPlan::run_nchw(const float* src, float* dst, float* scratch) const {
  const Pool2dProblem& p = problem_;
  const std::int64_t plane = p.ih * p.iw, planes = p.mb * p.c;
  const std::int64_t bands = (oh_ + band_rows_ - 1) / band_rows_;
  const std::int64_t band_floats = std::max<std::int64_t>(1, plane / bands);
  const std::int64_t group = std::min(planes, std::max<std::int64_t>(1, kChunkFloats / band_floats));
  const std::int64_t groups = (planes + group - 1) / group;
  parallel_for(groups * bands, threads_, [&](std::int64_t index, int worker) {
    PoolImage image = image_of(p, oh_, ow_);
    const std::int64_t first = index / bands * group;
    image.planes = std::min(group, planes - first);
    image.src = src + first * plane;
    image.dst = dst + first * oh_ * ow_;
    image.end = src + planes * plane;
    image.scratch = scratch + worker * scratch_floats_;
    image.row0 = index % bands * band_rows_;
    image.row1 = std::min(oh_, image.row0 + band_rows_);
    kernel_->window(image);
  });
}

void global_pool(PoolKind kind, std::int64_t images, std::int64_t channels, std::int64_t pixels,
                 const PoolRequest& request, const float* src, float* dst) {
  check_stride("src_pixel", request.src_pixel, request.src_layout, images * pixels, channels);
  bool nhwc = request.src_layout == Layout::nhwc;
  if (channels == 1 && request.src_pixel <= 1) nhwc = request.kernel.find("nhwc") != std::string::npos;
  const PoolKernel& kernel = pick(kind, true, nhwc, request);
  if (images * channels == 0) return;
  const FpEnvScope fp_env;
  const int threads =
      threads_for(static_cast<double>(images * channels * pixels) / 12.0, request.threads);
  // Whole vectors of every ISA; NHWC chunks at least 64 channels wide, to read whole lines.
  const std::int64_t wanted = std::max<std::int64_t>(1, kChunkFloats / pixels);
  const std::int64_t group = threads == 1 ? channels : std::max<std::int64_t>(64, wanted / 64 * 64);
  const std::int64_t groups = (channels + group - 1) / group;
  const std::int64_t pixel_stride = request.src_pixel ? request.src_pixel : channels;
  const std::int64_t dst_stride = request.dst_pixel ? request.dst_pixel : channels;
  parallel_for(images * groups, threads, [&](std::int64_t index, int) {
    PoolGlobal global;
    global.src = src + index / groups * pixel_stride * pixels;
    global.dst = dst + index / groups * dst_stride;
    global.pixels = pixels;
    global.pixel_stride = pixel_stride;
    global.first = index % groups * group;
    global.last = std::min(channels, global.first + group);
    kernel.global(global);
  });
}

}  // namespace pyconv
