// Softmax along one axis of `length` elements, x_0 .. x_(length-1):
//
//     softmax      y_i = e^(x_i - m) / s          m the maximum, s the sum of e^(x_i - m)
//     log_softmax  y_i = (x_i - m) - log s
//
// Order of summation, on every ISA and in both kernels: 16 partial sums, element i to sum i mod 16 in
// rising i, then sums j and j + 8, j + 4, j + 2, j + 1 are added. So a row has the same bits wherever
// its axis stands. Sums and exponentials are held times 2^40, which keeps e^-105 normal; softmax
// multiplies by the rounded reciprocal of s. A row with NaN or +inf becomes all NaN, as do the numbers
// of an empty sum (all -inf).
//
// `rows` has contiguous rows; `columns` takes up to kSoftmaxColumns axes side by side: element i of
// axis c stands at src[i * stride + c]. Elements wait in `scratch` (length * columns floats), or in
// dst where that is null: a power of two as stride maps all elements of an axis to few cache lines. dst is src or does not overlap it. Nothing is touched beyond.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

constexpr int kSoftmaxColumns = 256;

struct SoftmaxArgs {
  const float* src = nullptr;
  float* dst = nullptr;
  std::int64_t length = 0;
  bool log = false;
  std::int64_t rows = 1;    // rows kernel: so many, one after the other
  std::int64_t stride = 0;  // columns kernel
  int columns = 0;          // columns kernel: 1 .. kSoftmaxColumns
  float* scratch = nullptr;
};
using SoftmaxFn = void (*)(const SoftmaxArgs&);

struct SoftmaxFns {
  SoftmaxFn rows, columns;
};

struct SoftmaxKernel {
  KernelInfo info;
  const SoftmaxFns* fns;
};

const std::vector<SoftmaxKernel>& softmax_kernels();
// The fastest row that `cap` allows.
const SoftmaxKernel& softmax_kernel(Isa cap);

}  // namespace pyconv
