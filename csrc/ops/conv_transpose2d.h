// Transposed convolution: the adjoint of conv2d, by gathering.
//
//   dst[n, q, y, x] = bias[q] + sum over (r, s, c) of src[n, group(q)*ic/g + c, iy, ix] * weight[c, q, r, s]
//   where iy*sh = y + pt - r*dh and ix*sw = x + pl - s*dw
//
// Outputs whose y + pt and x + pl leave the same remainders by the strides share the same taps: a
// phase. There are sh*sw of them, and each is a convolution of stride 1 that reaches its rows of src
// through pointers and writes every sw-th pixel of every sh-th row; nothing is copied, no inserted
// zero is multiplied. Source: Dumoulin and Visin, arXiv:1603.07285, section 4; Shi et al., "Is the
// deconvolution layer the same as a convolutional layer?", arXiv:1609.07009.
//
// Summation: per output one chain of FMAs from the bias over the taps of its phase in stored order
// (kh, kw, ic), ending with + 0.0f. A tap of the phase that falls outside src is +0 and takes part.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu.h"
#include "ops/packed_weights.h"
#include "ops/types.h"

namespace pyconv {

struct ConvTranspose2dProblem {
  std::int64_t mb = 1, g = 1, ic = 0, oc = 0;
  std::int64_t ih = 0, iw = 0, kh = 1, kw = 1;
  std::int64_t sh = 1, sw = 1, dh = 1, dw = 1;
  std::int64_t pt = 0, pl = 0, pb = 0, pr = 0;
  std::int64_t eh = 0, ew = 0;  // output_padding: rows and columns added at the end

  std::int64_t icg() const { return ic / g; }
  std::int64_t ocg() const { return oc / g; }
  std::int64_t oh() const { return (ih - 1) * sh - pt - pb + dh * (kh - 1) + eh + 1; }
  std::int64_t ow() const { return (iw - 1) * sw - pl - pr + dw * (kw - 1) + ew + 1; }
  std::int64_t src_size() const { return mb * ic * ih * iw; }
  std::int64_t dst_size() const { return mb * oc * oh() * ow(); }
  std::int64_t macs() const { return mb * ih * iw * ic * ocg() * kh * kw; }

  // Throws InvalidArgument, naming the argument.
  void validate() const;
};

struct ConvTranspose2dRequest {
  Activation activation;
  Layout layout = Layout::nchw;
  Isa max_isa = Isa::scalar;
  int threads = 1;
  std::string kernel;  // force one row of the gemm family by name
};

// Weights packed once, by group and phase. Immutable, so that any number of threads may run it.
class ConvTranspose2dPlan {
 public:
  // weight: dense (ic, oc/g, kh, kw); bias: oc floats or null. Both are copied.
  ConvTranspose2dPlan(const ConvTranspose2dProblem& problem, const ConvTranspose2dRequest& request,
                      const float* weight, const float* bias);

  // src and dst dense in the request's layout, not overlapping; `workspace` 64-byte aligned with
  // workspace_bytes() or more.
  void run(const float* src, float* dst, void* workspace) const;

  const ConvTranspose2dProblem& problem() const { return p_; }
  Layout layout() const { return request_.layout; }
  std::string kernels() const;
  int threads() const { return threads_; }
  std::size_t workspace_bytes() const { return src_bytes_ + dst_bytes_; }
  std::size_t packed_bytes() const;

 private:
  // A kernel tap, and the input row (column) that it meets at the phase's first output.
  struct Tap {
    std::int64_t index, offset;
  };
  // Outputs first, first + stride, ... along one axis, `count` of them.
  struct AxisPhase {
    std::int64_t first = 0, count = 0;
    std::vector<Tap> taps;
  };
  // Outputs [i0, i1) x [j0, j1) of a phase.
  struct Chunk {
    std::size_t phase;
    std::int64_t i0, i1, j0, j1;
  };
  struct Job;

  static std::vector<AxisPhase> phases_of(std::int64_t out, std::int64_t kernel,
                                          std::int64_t stride, std::int64_t dilation,
                                          std::int64_t padding);
  const AxisPhase& rows_of(std::size_t phase) const { return high_[phase / wide_.size()]; }
  const AxisPhase& cols_of(std::size_t phase) const { return wide_[phase % wide_.size()]; }
  void pack(const float* weight, const float* bias);
  void cut_chunks();
  void run_nhwc(const float* src, float* dst) const;
  void run_job(const Job& job) const;
  void fill_rows(const Job& job, std::int64_t tap0, std::int64_t taps, int most,
                 const float** rows) const;

  ConvTranspose2dProblem p_;
  ConvTranspose2dRequest request_;
  int threads_;
  std::vector<AxisPhase> high_, wide_;
  std::vector<PackedWeights> weights_;  // [group][phase]
  std::vector<Chunk> chunks_;
  AlignedBuffer zero_row_;
  std::size_t src_bytes_ = 0, dst_bytes_ = 0;  // NHWC staging
};

}  // namespace pyconv
