#include "ops/tensor/conv_nd.h"

#include <algorithm>
#include <string>

#include "base/status.h"
#include "ops/extents.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kBlockFloats = 1 << 16;  // of gathered rows

// The position along each axis that output `index` (of `sizes` outputs) and a tap meet in the other
// image, flattened; -1 outside. Forward: out * stride + tap * dilation - before.
std::int64_t meets(const ConvNdProblem& p, std::int64_t index, std::int64_t tap, bool from_source) {
  std::int64_t at = 0, scale = 1;
  for (int i = p.rank - 1; i >= 0; --i) {
    const ConvNdAxis& a = p.axes[i];
    const std::int64_t own = from_source ? a.size : p.out(i), other = from_source ? p.out(i) : a.size;
    const std::int64_t position = index % own * a.stride + tap % a.kernel * a.dilation - a.before;
    if (position < 0 || position >= other) return -1;
    at += position * scale;
    scale *= other;
    index /= own;
    tap /= a.kernel;
  }
  return at;
}

}  // namespace

std::int64_t ConvNdProblem::out(int axis) const {
  const ConvNdAxis& a = axes[axis];
  const std::int64_t extent = (a.kernel - 1) * a.dilation + 1;
  if (transposed) return (a.size - 1) * a.stride + extent + a.extra - a.before - a.after;
  const std::int64_t room = a.size + a.before + a.after - extent;
  return room < 0 ? 0 : room / a.stride + 1;
}

std::int64_t ConvNdProblem::taps() const {
  std::int64_t product = 1;
  for (int i = 0; i < rank; ++i) product *= axes[i].kernel;
  return product;
}

std::int64_t ConvNdProblem::pixels() const {
  std::int64_t product = 1;
  for (int i = 0; i < rank; ++i) product *= axes[i].size;
  return product;
}

std::int64_t ConvNdProblem::out_pixels() const {
  std::int64_t product = 1;
  for (int i = 0; i < rank; ++i) product *= out(i);
  return product;
}

void ConvNdProblem::validate() const {
  if (rank < 1 || rank > kMaxRank - 3)
    throw InvalidArgument("x: expected one to five axes of an image, got " + std::to_string(rank));
  need_extent("batch", mb, 0);
  need_extent("group", g, 1);
  need_extent("channels", ic, 0);
  need_extent("weight", oc, 0);
  if (ic % g != 0 || oc % g != 0)
    throw InvalidArgument("group: expected a divisor of " + std::to_string(ic) + " and " +
                          std::to_string(oc) + " channels, got " + std::to_string(g));
  for (int i = 0; i < rank; ++i) {
    const ConvNdAxis& a = axes[i];
    need_extent("x", a.size, 1);
    need_extent("kernel_shape", a.kernel, 1);
    need_extent("strides", a.stride, 1);
    need_extent("dilations", a.dilation, 1);
    need_extent("output_padding", a.extra, 0);
    if (std::min(a.before, a.after) < (transposed ? -(std::int64_t{1} << 40) : 0))
      throw InvalidArgument("pads: expected sizes of 0 or more, got " +
                            std::to_string(std::min(a.before, a.after)));
    need_extent("pads", std::max(a.before, a.after), -(std::int64_t{1} << 40));
    need_elements("dilated window", {a.kernel, a.dilation});
    need_elements("strided image", {a.size, a.stride});
    if (out(i) < 1)
      throw InvalidArgument("kernel_shape: no window of " + std::to_string(a.kernel) +
                            " taps fits an axis of " + std::to_string(a.size));
    need_extent("output", out(i), 1);
  }
}

ConvNdPlan::ConvNdPlan(const ConvNdProblem& problem, const LinearRequest& request,
                       const float* weight, const float* bias)
    : p_(problem) {
  p_.validate();
  const std::int64_t icg = p_.ic / p_.g, ocg = p_.oc / p_.g, taps = p_.taps();
  const std::int64_t depth = p_.transposed ? icg : taps * icg;
  const std::int64_t columns = p_.transposed ? taps * ocg : ocg;
  std::vector<float> matrix(static_cast<std::size_t>(columns * depth));
  for (std::int64_t g = 0; g < p_.g; ++g) {
    float* to = matrix.data();
    if (p_.transposed) {
      for (std::int64_t column = 0; column < columns; ++column)  // (tap, channel)
        for (std::int64_t c = 0; c < icg; ++c)
          *to++ = weight[((g * icg + c) * ocg + column % ocg) * taps + column / ocg];
    } else {
      for (std::int64_t column = 0; column < columns; ++column)
        for (std::int64_t t = 0; t < taps; ++t)
          for (std::int64_t c = 0; c < icg; ++c)
            *to++ = weight[((g * ocg + column) * icg + c) * taps + t];
    }
    const float* own_bias = bias && !p_.transposed ? bias + g * ocg : nullptr;
    groups_.emplace_back(columns, depth, request, matrix.data(), own_bias);
  }
  bias_.assign(static_cast<std::size_t>(p_.oc), 0.0f);
  if (bias) std::copy_n(bias, p_.oc, bias_.data());
  const std::int64_t all = p_.transposed ? p_.pixels() : p_.out_pixels();
  rows_ = std::min(all, std::max<std::int64_t>(1, kBlockFloats / std::max<std::int64_t>(1, depth + columns)));
}

std::size_t ConvNdPlan::packed_bytes() const {
  std::size_t sum = 0;
  for (const LinearPlan& plan : groups_) sum += plan.packed_bytes();
  return sum;
}

std::size_t ConvNdPlan::workspace_bytes() const {
  if (groups_.empty()) return 0;
  return static_cast<std::size_t>(rows_ * (groups_[0].k() + groups_[0].n())) * sizeof(float);
}

void ConvNdPlan::run(const float* src, float* dst, void* workspace) const {
  const FpEnvScope fp_env;
  float* scratch = static_cast<float*>(workspace);
  if (p_.transposed)
    run_transposed(src, dst, scratch);
  else
    run_forward(src, dst, scratch);
}

void ConvNdPlan::run_forward(const float* src, float* dst, float* workspace) const {
  const std::int64_t icg = p_.ic / p_.g, ocg = p_.oc / p_.g, taps = p_.taps();
  const std::int64_t in = p_.pixels(), out = p_.out_pixels(), depth = taps * icg;
  float* product = workspace + rows_ * depth;
  for (std::int64_t group = 0; group < p_.mb * p_.g; ++group) {
    const float* from = src + group * icg * in;
    float* to = dst + group * ocg * out;
    for (std::int64_t first = 0; first < out; first += rows_) {
      const std::int64_t rows = std::min(rows_, out - first);
      float* row = workspace;
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t at = meets(p_, first + r, t, false);
          for (std::int64_t c = 0; c < icg; ++c) *row++ = at < 0 ? 0.0f : from[c * in + at];
        }
      groups_[static_cast<std::size_t>(group % p_.g)].run(workspace, rows, product);
      for (std::int64_t c = 0; c < ocg; ++c)
        for (std::int64_t r = 0; r < rows; ++r) to[c * out + first + r] = product[r * ocg + c];
    }
  }
}

void ConvNdPlan::run_transposed(const float* src, float* dst, float* workspace) const {
  const std::int64_t icg = p_.ic / p_.g, ocg = p_.oc / p_.g, taps = p_.taps();
  const std::int64_t in = p_.pixels(), out = p_.out_pixels();
  float* product = workspace + rows_ * icg;
  for (std::int64_t group = 0; group < p_.mb * p_.g; ++group) {
    const float* from = src + group * icg * in;
    float* to = dst + group * ocg * out;
    std::fill_n(to, ocg * out, 0.0f);
    for (std::int64_t first = 0; first < in; first += rows_) {
      const std::int64_t rows = std::min(rows_, in - first);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < icg; ++c) workspace[r * icg + c] = from[c * in + first + r];
      groups_[static_cast<std::size_t>(group % p_.g)].run(workspace, rows, product);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t at = meets(p_, first + r, t, true);
          if (at < 0) continue;
          const float* values = product + (r * taps + t) * ocg;
          for (std::int64_t c = 0; c < ocg; ++c) to[c * out + at] += values[c];
        }
    }
    const float* bias = bias_.data() + group % p_.g * ocg;
    for (std::int64_t c = 0; c < ocg; ++c)
      for (std::int64_t i = 0; i < out; ++i) to[c * out + i] += bias[c];
  }
}

}  // namespace pyconv
