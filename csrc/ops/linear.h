// Fully connected layers: y (m x n) = activation(x (m x k) * weight (n x k) transposed + bias).
//
// exact: one chain of FMAs per output from the bias in rising k, ending with + 0.0f, whatever the
// batch. fast: the one-shot form may use 16 partial sums where the batch is small (order `dot` of
// kernels/linear/linear.h), instead of packing weights that it reads once.
#pragma once
#include <cstdint>
#include <string>

#include "base/cpu.h"
#include "kernels/linear/linear.h"
#include "ops/packed_weights.h"
#include "ops/types.h"

namespace pyconv {

struct LinearRequest {
  Accuracy accuracy = Accuracy::fast;
  Activation activation;
  Isa max_isa = Isa::scalar;
  int threads = 1;
  std::string kernel;  // force one row of the linear or gemm family by name
};

// Weights packed once, for any batch. Immutable, so that any number of threads may run it.
class LinearPlan {
 public:
  // weight: n x k, dense; bias: n floats or null. Both are copied. Throws InvalidArgument when the
  // forced kernel is no row that reads packed weights.
  LinearPlan(std::int64_t n, std::int64_t k, const LinearRequest& request, const float* weight,
             const float* bias);

  // x: m x k, y: m x n, dense, not overlapping.
  void run(const float* x, std::int64_t m, float* y) const;

  std::int64_t n() const { return n_; }
  std::int64_t k() const { return k_; }
  std::size_t packed_bytes() const { return weights_.bytes(); }
  // Names of the registry rows in use, comma between.
  std::string kernels() const;

 private:
  void run_many(const float* x, std::int64_t m, float* y, int threads) const;
  void run_block(const float* x, std::int64_t rows, const WeightPanel& panel, std::int64_t k0,
                 std::int64_t depth, const float* next, float* y) const;

  std::int64_t n_, k_;
  LinearRequest request_;
  const LinearKernel* few_ = nullptr;  // null: the gemm family takes every batch
  PackedWeights weights_;
};

// One-shot: packs only where the batch repays it.
void linear(std::int64_t m, std::int64_t n, std::int64_t k, const LinearRequest& request,
            const float* x, const float* weight, const float* bias, float* y);

}  // namespace pyconv
