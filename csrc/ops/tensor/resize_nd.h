// Resizing along any axes, as ONNX's Resize defines it: every axis has its own table of neighbours
// and weights, computed in double and rounded once; axes are resized one after the other, from the
// first to the last, each result rounded to float. The nearest pixel is copied at once.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ops/tensor/index_map.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

enum class Interpolation : std::uint8_t { nearest, linear, cubic };
enum class Coordinates : std::uint8_t {
  half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric,
  tf_half_pixel_for_nn, tf_crop_and_resize
};
enum class NearestRule : std::uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };

// False when `name` is none of the enumerators' names.
bool parse_interpolation(const std::string& name, Interpolation* mode);
bool parse_coordinates(const std::string& name, Coordinates* coordinates);
bool parse_nearest_rule(const std::string& name, NearestRule* rule);

struct ResizeNdOptions {
  Interpolation mode = Interpolation::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  NearestRule nearest = NearestRule::round_prefer_floor;
  double cubic_a = -0.75;
  bool exclude_outside = false;  // neighbours outside weigh nothing, the others are scaled up
  bool antialias = false;        // shrinking: kernels as wide as the step
  float extrapolation = 0.0f;    // tf_crop_and_resize: the value outside the image
};

struct ResizeNdAxis {
  std::int64_t size = 0, out = 0;
  double scale = 1.0;             // out / size, or what was given instead
  double start = 0.0, end = 1.0;  // tf_crop_and_resize: the region, in shares of the axis
};

class ResizeNd {
 public:
  // Throws InvalidArgument for empty axes and for scales that are no positive numbers.
  ResizeNd(const std::vector<ResizeNdAxis>& axes, const ResizeNdOptions& options);

  std::size_t workspace_bytes() const;
  // Dense src and dst of the axes' sizes, not overlapping.
  void run(const float* src, float* dst, void* workspace, int threads) const;

 private:
  struct Axis {
    std::int64_t size, out, taps;
    bool identity;
    std::vector<std::int64_t> index;  // [out][taps]; index[i * taps] < 0: extrapolated
    std::vector<float> weight;        // [out][taps]
  };
  void run_axis(const Axis& axis, std::int64_t outer, std::int64_t inner, const float* src,
                float* dst, int threads) const;
  void run_row(const Axis& axis, const float* src, float* dst) const;
  MappedCopy chosen() const;
  std::size_t elements_after(std::size_t axes) const;

  std::vector<Axis> axes_;
  std::unique_ptr<MappedCopy> nearest_;
  float extrapolation_;
};

}  // namespace pyconv
