// Products of matrices that are both known only when they are multiplied; where the second one is
// constant, ops/linear.h packs it once.
//
//     dst[.., i, j] = sum over k of a[.., i, k] * b[.., k, j]
//
// Leading axes broadcast. f32: per output one chain of FMAs from +0 in rising k that ends with
// + 0.0f. i64, i32: sums that wrap around.
#pragma once
#include <cstddef>
#include <vector>

#include "base/cpu.h"
#include "ops/packed_weights.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

// Throws InvalidArgument where a and b, of two dimensions or more, do not fit.
Shape matmul_shape(const Shape& a, const Shape& b);

class MatmulPlan {
 public:
  MatmulPlan(const Shape& a, const Shape& b, DType dtype, Isa cap, int threads);

  std::size_t workspace_bytes() const;
  // Dense, dst overlapping neither; `workspace` 64-byte aligned.
  void run(const void* a, const void* b, void* dst, void* workspace) const;

 private:
  void run_panel(const WeightPanel& panel, const float* a, const float* b, float* dst,
                 float* packed) const;
  template <class T>
  void run_integers(const T* a, const T* b, T* dst) const;
  std::int64_t matrix_of(std::int64_t batch, const std::vector<std::int64_t>& strides) const;

  DType dtype_;
  std::int64_t m_, n_, k_, batches_ = 1;
  int threads_;
  Shape batch_shape_;
  std::vector<std::int64_t> a_strides_, b_strides_;  // in matrices, by axis of batch_shape_
  std::vector<WeightPanel> panels_;
  std::int64_t packed_floats_ = 0;  // of one thread
};

}  // namespace pyconv
