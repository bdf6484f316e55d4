// Elementwise operators on dense arrays: kernels of the eltwise family over the parts of an array.
#pragma once
#include <cstdint>
#include <vector>

#include "base/cpu.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/types.h"

namespace pyconv {

// One call of the family: parameters as eltwise.h has them.
struct EltwiseProblem {
  EltwiseOp op = EltwiseOp::relu;
  Isa cap = Isa::scalar;
  int threads = 1;  // at most
  const float* src = nullptr;
  float* dst = nullptr;
};

// n elements with uniform parameters (p, q: one float each, or null where the function has none).
void eltwise_uniform(const EltwiseProblem& problem, std::int64_t n, const float* p,
                     const float* q = nullptr);

// n elements with p[i], q[i].
void eltwise_per_element(const EltwiseProblem& problem, std::int64_t n, const float* p,
                         const float* q = nullptr);

// An array (outer, channels, inner) with p[channel], q[channel]. inner is 1 where channels are last.
void eltwise_per_channel(const EltwiseProblem& problem, std::int64_t outer, std::int64_t channels,
                         std::int64_t inner, const float* p, const float* q = nullptr);

// An axis of src, and whether the parameter varies along it.
struct BroadcastAxis {
  std::int64_t size;
  bool varies;
};

// src of shape `axes` with a parameter p that is dense over the axes along which it varies. At most
// kMaxBroadcastAxes axes.
constexpr int kMaxBroadcastAxes = 64;  // as many as a numpy array can have
void eltwise_broadcast(const EltwiseProblem& problem, const std::vector<BroadcastAxis>& axes,
                       const float* p);

// Rows of elements, at distances in floats.
struct EltwiseRows {
  std::int64_t rows = 0, cols = 0, src_stride = 0, dst_stride = 0;
  const float* alpha = nullptr;  // the parameter of a function that has one for all elements
};

// Every row with p[i], q[i] (p null: `alpha` for all), and then the activation `after`, while the row is
// in L1.
void eltwise_rows(const EltwiseProblem& problem, const EltwiseRows& rows, const float* p,
                  const float* q, const Activation& after);

}  // namespace pyconv
