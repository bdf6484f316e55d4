#include "ops/tensor/resize_nd.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "base/status.h"
#include "base/thread_pool.h"
#include "ops/extents.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kMostWeights = std::int64_t{1} << 26;  // of an axis

constexpr const char* kModes[] = {"nearest", "linear", "cubic"};
constexpr const char* kCoordinates[] = {
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_half_pixel_for_nn", "tf_crop_and_resize",
};
constexpr const char* kRules[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};

template <class Enum, std::size_t kCount>
bool parse(const char* const (&names)[kCount], const std::string& name, Enum* value) {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (name != names[i]) continue;
    *value = static_cast<Enum>(i);
    return true;
  }
  return false;
}

// The position in the source of output i. Where the scale is out / size a quotient of integers is
// divided once, so that a position between two pixels is exactly there.
double source_of(const ResizeNdAxis& axis, Coordinates coordinates, std::int64_t i) {
  const double x = static_cast<double>(i), size = static_cast<double>(axis.size);
  const double length = axis.scale * size, out = static_cast<double>(axis.out);
  const bool plain = axis.scale == out / size;
  const double half_pixel =
      plain ? ((2 * x + 1) * size - out) / (2 * out) : (x + 0.5) / axis.scale - 0.5;
  switch (coordinates) {
    case Coordinates::half_pixel: return half_pixel;
    case Coordinates::half_pixel_symmetric:
      return size / 2 * (1 - out / length) + half_pixel;
    case Coordinates::pytorch_half_pixel: return axis.out > 1 ? half_pixel : 0.0;
    case Coordinates::align_corners: return length == 1.0 ? 0.0 : x * (size - 1) / (length - 1);
    case Coordinates::asymmetric: return plain ? x * size / out : x / axis.scale;
    case Coordinates::tf_half_pixel_for_nn: return (x + 0.5) / axis.scale;
    case Coordinates::tf_crop_and_resize: break;
  }
  const double first = axis.start * (size - 1), span = (axis.end - axis.start) * (size - 1);
  return first + (length == 1.0 ? span / 2 : x * span / (length - 1));
}

double nearest_offset(double ratio, NearestRule rule) {
  if (ratio == 0.0) return 0.0;
  switch (rule) {
    case NearestRule::round_prefer_floor: return ratio <= 0.5 ? 0.0 : 1.0;
    case NearestRule::round_prefer_ceil: return ratio < 0.5 ? 0.0 : 1.0;
    case NearestRule::floor: return 0.0;
    default: return 1.0;
  }
}

// The interpolating kernel at a distance, in source pixels.
double kernel_at(double distance, const ResizeNdOptions& options) {
  const double x = std::fabs(distance), a = options.cubic_a;
  if (options.mode == Interpolation::linear) return std::max(0.0, 1.0 - x);
  if (x <= 1.0) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2.0 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
}

// First neighbour and weights around base + ratio.
void weigh(double ratio, double stretch, std::int64_t first, const ResizeNdOptions& options,
           std::int64_t base, std::int64_t size, std::vector<double>* weights) {
  double sum = 0.0;
  for (std::size_t t = 0; t < weights->size(); ++t) {
    const std::int64_t offset = first + static_cast<std::int64_t>(t);
    double& weight = (*weights)[t];
    weight = options.mode == Interpolation::nearest
                 ? (static_cast<double>(offset) == nearest_offset(ratio, options.nearest) ? 1.0 : 0.0)
                 : kernel_at(stretch * (static_cast<double>(offset) - ratio), options);
    if (options.exclude_outside && options.mode != Interpolation::nearest && (base + offset < 0 || base + offset >= size)) weight = 0.0;
    sum += weight;
  }
  if ((!options.exclude_outside && stretch == 1.0) || options.mode == Interpolation::nearest) return;
  for (double& weight : *weights) weight = sum == 0.0 ? 0.0 : weight / sum;
}

}  // namespace

bool parse_interpolation(const std::string& name, Interpolation* mode) {
  return parse(kModes, name, mode);
}
bool parse_coordinates(const std::string& name, Coordinates* coordinates) {
  return parse(kCoordinates, name, coordinates);
}
bool parse_nearest_rule(const std::string& name, NearestRule* rule) {
  return parse(kRules, name, rule);
}

ResizeNd::ResizeNd(const std::vector<ResizeNdAxis>& axes, const ResizeNdOptions& options)
    : extrapolation_(options.extrapolation) {
  const bool cropped = options.coordinates == Coordinates::tf_crop_and_resize;
  for (const ResizeNdAxis& given : axes) {
    need_extent("sizes", given.out, 0);
    if (!(given.scale > 1e-9) || !(given.scale < 1e12))
      throw InvalidArgument("scales: expected numbers between 1e-9 and 1e12, got " +
                            std::to_string(given.scale));
    if (given.size == 0 && given.out > 0)
      throw InvalidArgument("x: expected one pixel or more to resize, got none");
    Axis axis{given.size, given.out, 1, false, {}, {}};
    axis.identity = given.size == given.out && given.scale == 1.0 &&
                    (!cropped || (given.start == 0.0 && given.end == 1.0)) &&
                    options.coordinates != Coordinates::tf_half_pixel_for_nn;
    const double reach = options.mode == Interpolation::cubic ? 2.0 : 1.0;
    const bool wide = options.antialias && given.scale < 1.0 && options.mode != Interpolation::nearest;
    const double stretch = wide ? given.scale : 1.0;
    const std::int64_t first = static_cast<std::int64_t>(std::floor(-reach / stretch)) + 1;
    axis.taps = 2 - 2 * first;
    if (given.out > kMostWeights / axis.taps)
      throw InvalidArgument("sizes: expected at most " + std::to_string(kMostWeights / axis.taps) +
                            " along an axis of so many neighbours, got " + std::to_string(given.out));
    std::vector<double> weights(static_cast<std::size_t>(axis.taps));
    for (std::int64_t i = 0; !axis.identity && i < given.out; ++i) {
      const double x = source_of(given, options.coordinates, i);
      const double last = static_cast<double>(given.size - 1);
      const bool outside = cropped && !(x >= 0.0 && x <= last);
      const double at = std::min(std::max(x, -1e6), last + 1e6);
      const std::int64_t base = static_cast<std::int64_t>(std::floor(at));
      weigh(at - static_cast<double>(base), stretch, first, options, base, given.size, &weights);
      for (std::int64_t t = 0; t < axis.taps; ++t) {
        const std::int64_t neighbour = std::min(std::max<std::int64_t>(base + first + t, 0), given.size - 1);
        axis.index.push_back(outside ? -1 : neighbour);
        axis.weight.push_back(static_cast<float>(weights[static_cast<std::size_t>(t)]));
      }
    }
    axes_.push_back(std::move(axis));
  }
  if (options.mode == Interpolation::nearest) nearest_ = std::make_unique<MappedCopy>(chosen());
}

// Of the neighbours of each position, the one that weighs 1.
MappedCopy ResizeNd::chosen() const {
  Shape shape;
  std::vector<std::vector<std::int64_t>> tables;
  for (const Axis& axis : axes_) {
    shape[shape.rank++] = axis.size;
    std::vector<std::int64_t> table(static_cast<std::size_t>(axis.out));
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::size_t at = i * static_cast<std::size_t>(axis.taps);
      if (axis.identity)
        table[i] = static_cast<std::int64_t>(i);
      else
        table[i] = axis.index[at] < 0 ? kOutside : axis.index[axis.weight[at] == 1.0f ? at : at + 1];
    }
    tables.push_back(std::move(table));
  }
  return MappedCopy(shape, std::move(tables), DType::f32);
}

// Of the tensor of which the first `axes` axes are resized.
std::size_t ResizeNd::elements_after(std::size_t axes) const {
  std::size_t product = 1;
  for (std::size_t i = 0; i < axes_.size(); ++i)
    product *= static_cast<std::size_t>(i < axes ? axes_[i].out : axes_[i].size);
  return product;
}

std::size_t ResizeNd::workspace_bytes() const {
  if (nearest_) return 0;
  std::size_t most = 0;
  for (std::size_t i = 1; i < axes_.size(); ++i) most = std::max(most, elements_after(i));
  return 2 * ((most * sizeof(float) + 63) / 64 * 64);
}

// Pixels of one float: the same products and sums as in run_axis.
void ResizeNd::run_row(const Axis& axis, const float* src, float* dst) const {
  const std::int64_t* index = axis.index.data();
  const float* weight = axis.weight.data();
  for (std::int64_t i = 0; i < axis.out; ++i, index += axis.taps, weight += axis.taps) {
    float sum = 0.0f;
    bool first = true;
    for (std::int64_t t = 0; t < axis.taps; ++t) {
      if (weight[t] == 0.0f) continue;
      const float term = src[index[t] < 0 ? 0 : index[t]] * weight[t];
      sum = first ? term : sum + term;
      first = false;
    }
    dst[i] = *index < 0 ? extrapolation_ : sum;
  }
}

void ResizeNd::run_axis(const Axis& axis, std::int64_t outer, std::int64_t inner, const float* src,
                        float* dst, int threads) const {
  const double work = static_cast<double>(outer * axis.out * inner * axis.taps);
  parallel_for(outer, threads_for(work, threads), [&](std::int64_t o, int) {
    const float* from = src + o * axis.size * inner;
    float* to = dst + o * axis.out * inner;
    if (inner == 1) return run_row(axis, from, to);
    for (std::int64_t i = 0; i < axis.out; ++i, to += inner) {
      const std::int64_t* index = axis.index.data() + i * axis.taps;
      const float* weight = axis.weight.data() + i * axis.taps;
      if (*index < 0) {
        std::fill_n(to, inner, extrapolation_);
        continue;
      }
      bool first = true;
      for (std::int64_t t = 0; t < axis.taps; ++t) {
        const float w = weight[t];
        if (w == 0.0f) continue;
        const float* row = from + index[t] * inner;
        if (first && w == 1.0f)
          std::memcpy(to, row, static_cast<std::size_t>(inner) * sizeof(float));
        else if (first)
          for (std::int64_t j = 0; j < inner; ++j) to[j] = row[j] * w;
        else
          for (std::int64_t j = 0; j < inner; ++j) to[j] += row[j] * w;
        first = false;
      }
      if (first) std::fill_n(to, inner, 0.0f);
    }
  });
}

void ResizeNd::run(const float* src, float* dst, void* workspace, int threads) const {
  if (nearest_) return nearest_->run(src, dst, &extrapolation_, threads);
  const FpEnvScope fp_env;
  if (elements_after(axes_.size()) == 0) return;
  std::size_t left = 0;
  for (const Axis& axis : axes_) left += axis.identity ? 0 : 1;
  if (left == 0) {
    std::memcpy(dst, src, elements_after(0) * sizeof(float));
    return;
  }
  float* buffers[2] = {static_cast<float*>(workspace),
                       static_cast<float*>(workspace) + workspace_bytes() / 2 / sizeof(float)};
  const float* from = src;
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const Axis& axis = axes_[i];
    std::int64_t inner = 1;
    for (std::size_t j = i + 1; j < axes_.size(); ++j) inner *= axes_[j].size;
    if (!axis.identity) {
      float* to = --left == 0 ? dst : buffers[left % 2];
      run_axis(axis, outer, inner, from, to, threads);
      from = to;
    }
    outer *= axis.out;
  }
}

}  // namespace pyconv
