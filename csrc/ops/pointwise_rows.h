// A pointwise convolution by runs of pixels, for plans that run it between other steps: every panel of the
// weights meets all pixels of a run, whole depth at once.
#pragma once
#include <cstdint>
#include <string>

#include "base/cpu.h"
#include "ops/packed_weights.h"
#include "ops/types.h"

namespace pyconv {

struct PixelRun {
  const float* src = nullptr;
  float* dst = nullptr;
  const float* residual = nullptr;  // added before the activation; may be null
  std::int64_t src_pixel = 0, dst_pixel = 0, residual_pixel = 0;  // floats from pixel to pixel
  std::int64_t pixels = 0;
  const float* weights = nullptr;  // what scale_weights made, instead of the plan's own
  bool fetch_dst = false;  // dst is not expected in L1: its lines are fetched for writing early
};

class PointwiseRows {
 public:
  // weight: (n, k); bias: n floats or null. Both are copied. pixels: those of a typical run.
  PointwiseRows(std::int64_t n, std::int64_t k, std::int64_t pixels, Accuracy accuracy, Isa max_isa,
                const Activation& activation, const float* weight, const float* bias);

  void run(const PixelRun& run) const;

  // The weights with row k, those of input channel k, times scale[k]: weight_floats() of them.
  void scale_weights(const float* scale, float* to) const;
  std::int64_t weight_floats() const;

  // Estimated cycles of one core for a run of so many pixels, and of scale_weights.
  double cycles(std::int64_t pixels) const;
  double scaling_cycles() const;

  std::size_t bytes() const { return weights_.bytes(); }
  std::string kernels() const { return kernel_names(weights_.panels()); }

 private:
  PackedWeights weights_;
  Accuracy accuracy_;
  Isa max_isa_;
  Activation activation_;
};

}  // namespace pyconv
