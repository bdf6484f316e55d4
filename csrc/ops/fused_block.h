// The inverted residual as one: a pointwise convolution that widens, a depthwise one, a pointwise one that
// narrows, and perhaps the residual; or the last two, or the first two alone (what comes before a
// squeeze-and-excitation). Sandler et al., arXiv:1801.04381, figure 3.
//
// Rows of the wide image live in a ring, a few output rows at a time, so that they never leave L2:
//
//     src rows --expand--> ring of rows (y mod R) --depthwise--> strip --project + residual--> dst rows
//
// Each output is the same chain of operations as of the three convolutions one after the other, so the bits
// are the same. Threads take segments of output rows; rows of the ring that two segments need are made twice.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ops/conv2d/depthwise_rows.h"
#include "ops/pointwise_rows.h"
#include "ops/types.h"

namespace pyconv {

struct FusedBlockProblem {
  std::int64_t ic = 0;      // of src; the depthwise's where there is no expansion
  bool expands = false;
  Conv2dProblem depthwise;  // of all images; undilated, one channel per group
  std::int64_t oc = 0;  // the depthwise's where nothing narrows
  bool projects = true;
  Activation expanded, middle, projected;  // activations of the three
};

struct FusedBlockWeights {
  const float *expand = nullptr, *expand_bias = nullptr;  // (C, ic, 1, 1), (C) or null
  const float *depthwise = nullptr, *depthwise_bias = nullptr;
  const float *project = nullptr, *project_bias = nullptr;
};

struct FusedBlockRequest {
  Accuracy accuracy = Accuracy::fast;
  Isa max_isa = Isa::scalar;
  int threads = 1;
  // Floats from one NHWC pixel to the next; 0: dense.
  std::int64_t src_pixel = 0, dst_pixel = 0, residual_pixel = 0;
};

// Empty when the block can be fused and gains by it; else why not, in one sentence.
std::string refuse_fused_block(const FusedBlockProblem& problem, Isa max_isa);

class FusedBlockPlan {
 public:
  FusedBlockPlan(const FusedBlockProblem& problem, const FusedBlockRequest& request,
                 const FusedBlockWeights& weights);

  // NHWC; dst overlaps neither src nor residual, which may be null.
  void run(const float* src, const float* residual, float* dst, void* workspace) const;

  std::size_t workspace_bytes() const;
  std::size_t packed_bytes() const;
  std::string kernels() const;
  // Estimated cycles of one core: those of the three parts, as the algorithms that they are estimate them.
  // Their images stay in L2, and nothing is counted for rows that two threads make twice.
  double cycles() const;
  int threads() const { return threads_; }

 private:
  struct Place;
  struct Scratch;
  void run_segment(const float* src, const float* residual, float* dst, std::int64_t image,
                   RowRange groups, const Scratch& scratch) const;
  std::int64_t ring_row() const;      // floats
  std::int64_t scratch_floats() const;
  RowRange reached(RowRange rows) const;  // input rows of output rows

  FusedBlockProblem p_;
  FusedBlockRequest request_;
  int threads_;
  std::int64_t src_pixel_, dst_pixel_, residual_pixel_;
  std::unique_ptr<PointwiseRows> expand_, project_;
  std::unique_ptr<DepthwiseRows> depthwise_;
  std::int64_t ring_rows_ = 0, strip_rows_ = 0;
};

}  // namespace pyconv
