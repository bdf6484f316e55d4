// Convolution and transposed convolution of images of one to five dimensions: what ops/conv2d and
// ops/conv_transpose2d.h, which are for two and fast, do not take.
//
// conv: the taps of each output are gathered as a row and multiplied by the weights (ops/linear.h), one
// chain of FMAs from the bias over taps and then channels. conv_transpose: every input pixel's products
// with all taps, added to the outputs in the order of inputs and taps, the bias last.
#pragma once
#include <cstddef>
#include <vector>

#include "ops/linear.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

struct ConvNdAxis {
  std::int64_t size = 1, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
  std::int64_t extra = 0;  // conv_transpose: rows added at the end
};

struct ConvNdProblem {
  bool transposed = false;
  std::int64_t mb = 1, g = 1, ic = 1, oc = 1;
  int rank = 0;
  ConvNdAxis axes[kMaxRank];

  std::int64_t out(int axis) const;
  std::int64_t taps() const;
  std::int64_t pixels() const;      // of src
  std::int64_t out_pixels() const;  // of dst
  // Throws InvalidArgument, naming the argument.
  void validate() const;
};

class ConvNdPlan {
 public:
  // weight: dense (oc, ic/g, k...) or, transposed, (ic, oc/g, k...); bias: oc floats or null.
  ConvNdPlan(const ConvNdProblem& problem, const LinearRequest& request, const float* weight,
             const float* bias);

  std::size_t workspace_bytes() const;
  std::size_t packed_bytes() const;
  // Dense (mb, channels, pixels...), not overlapping.
  void run(const float* src, float* dst, void* workspace) const;

 private:
  void run_forward(const float* src, float* dst, float* workspace) const;
  void run_transposed(const float* src, float* dst, float* workspace) const;

  ConvNdProblem p_;
  std::vector<LinearPlan> groups_;
  std::vector<float> bias_;
  std::int64_t rows_;  // pixels gathered at once
};

}  // namespace pyconv
