// Matrix times a few vectors: the products of fully connected layers at small batch, which read every
// weight once and so wait for memory. Up to kLinearRows rows of x share the weights' way through the
// registers; larger batches are the gemm family's.
//
//     y[m][n] = clamp( (bias[n] + sum_k x[m][k] * weight[n][k]) + 0.0f )
//
// Three orders of work:
//
//     chain   weights in rows as they come; one chain of FMAs per output from the bias in rising k.
//             16x8 tiles of weights are transposed in registers, so that lanes are outputs.
//     panels  the same chain from the packed panels of kernels/gemm/gemm.h, several side by side.
//     dot     weights in rows as they come; 16 partial sums from +0, term k in sum k mod 16, each a
//             chain of FMAs; their tree (simd/tree_sum.inl.h), then + bias. Lanes are terms.
//
// chain and panels give the same bits as every exact convolution. All three give one result on every
// ISA. Nothing is read or written outside the operands; prefetches may name any address.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

constexpr int kLinearRows = 4;
// Panels that one call may walk side by side: more streams than two slow DRAM down (Zen 5, 2026-11).
constexpr int kLinearPanels = 2;

struct LinearRows {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  int rows = 1;  // of x, 1..kLinearRows
  const float* weight = nullptr;
  std::int64_t depth = 0;              // k; also the distance from row to row of weight
  std::int64_t first = 0, last = 0;    // outputs to compute
  const float* bias = nullptr;         // may be null
  float* y = nullptr;                  // of output 0
  std::int64_t y_stride = 0;
  float lo = 0, hi = 0;
};
using LinearRowsFn = void (*)(const LinearRows&);

struct LinearPanels {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  int rows = 1;
  std::int64_t depth = 0;
  int count = 1;    // panels, 1..kLinearPanels
  int vectors = 1;  // width of each, 1..4 vectors of the row's ISA
  const float* panel[kLinearPanels] = {};
  const float* bias[kLinearPanels] = {};  // padded to the width
  float* y[kLinearPanels] = {};
  int columns[kLinearPanels] = {};  // valid ones
  std::int64_t y_stride = 0;
  std::int64_t ahead = 0;  // floats between the weights in use and those that are fetched meanwhile
  float lo = 0, hi = 0;
};
using LinearPanelsFn = void (*)(const LinearPanels&);

enum class LinearOrder : std::uint8_t { chain, panels, dot };

struct LinearKernel {
  KernelInfo info;
  LinearOrder order;
  LinearRowsFn run_rows;      // chain, dot
  LinearPanelsFn run_panels;  // panels
};

// All rows of linear_kernels.inc that this build holds, best ISA first.
const std::vector<LinearKernel>& linear_kernels();

}  // namespace pyconv
