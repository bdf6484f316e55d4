// A pointwise convolution of an image whose channels are scaled first, as a squeeze-and-excitation block
// scales them (Hu et al., arXiv:1709.01507):
//
//     dst[n, q, i] = act( bias[q] + sum_c weight[q, c] (src[n, c, i] scale[n, c]) + residual[n, q, i] )
//
// NHWC. Fast: the packed weights are scaled, once for every image, and the image is read as it is. Exact:
// blocks of pixels are scaled into scratch, each product rounded, so that the bits are those of two operators;
// the scaled image is never written out.
//
// Or of an image that is batch-normalised first, as DenseNet's are (Huang et al., arXiv:1608.06993): blocks of
// pixels fma(src, scale[c], shift[c]), rectified where `rectified`, likewise with the bits of two operators.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "ops/pointwise_rows.h"

namespace pyconv {

struct ScaledPointwiseProblem {
  std::int64_t images = 1, pixels = 1, ic = 0, oc = 0;
  std::int64_t src_pixel = 0, dst_pixel = 0, residual_pixel = 0;  // floats; 0: dense
  bool normed = false, rectified = false;
  Accuracy accuracy = Accuracy::fast;
  Activation activation;
  Isa max_isa = Isa::scalar;
  int threads = 1;  // at most
};

// Whether the image is large enough for it; a small one stays in cache between two operators.
bool scaling_pays(std::int64_t pixels, std::int64_t channels);

class ScaledPointwisePlan {
 public:
  ScaledPointwisePlan(const ScaledPointwiseProblem& problem, const float* weight, const float* bias);

  // scale: (images, ic); where normed, scale and shift: (ic). residual may be null. dst overlaps none of them.
  void run(const float* src, const float* scale, const float* shift, const float* residual, float* dst,
           void* workspace) const;

  std::size_t workspace_bytes() const {
    const std::int64_t floats = scales_weights() ? rows_.weight_floats() : threads_ * block_ * p_.ic;
    return static_cast<std::size_t>(floats) * sizeof(float);
  }
  std::size_t packed_bytes() const { return rows_.bytes(); }
  std::string kernels() const { return rows_.kernels(); }
  double cycles() const;  // of one core, estimated
  int threads() const { return threads_; }

 private:
  bool scales_weights() const { return p_.accuracy == Accuracy::fast && !p_.normed; }
  // count pixels of src, prepared.
  void prepare(const float* src, const float* scale, const float* shift, std::int64_t count, float* to) const;

  ScaledPointwiseProblem p_;
  int threads_;
  std::int64_t block_;  // pixels of a chunk
  PointwiseRows rows_;
};

}  // namespace pyconv
