// Elementwise kernels: dst[r * n + i] = f(src[r * n + i]; p, q) for r < rows and i < n, with 0, 1 or 2
// parameters: one number for each row (uniform: p[r], q[r]), or for each element of a row, the same in
// all of them (per_element: p[i], q[i]).
//
//   relu              x < 0 ? +0 : x
//   relu6             that, then x > 6 ? 6 : x
//   leaky_relu p      x < 0 ? x p : x                     (prelu: p per channel)
//   elu p             x < 0 ? p (e^x - 1) : x
//   sigmoid           1 / (1 + e^-x)
//   hard_sigmoid      clamp(x + 3, 0, 6) / 6, divided with one rounding
//   silu              x sigmoid(x)
//   hard_swish        max(x, -3) hard_sigmoid(x)
//   tanh              (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x
//   gelu              x Phi(x), Phi the normal distribution function
//   gelu_tanh         x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
//   sigmoid_fast, silu_fast, tanh_fast  the same within 8 ulps (down to 2^-120), by other bits on each ISA
//   exp
//   add p, mul p      x + p, x p
//   affine p q        fma(x, p, q)
//   sub p, div p      x - p, x / p
//   minimum p, maximum p
//   pow p             x^p as IEEE 754 has it: 1 for p = 0 and for x = 1, NaN for x < 0 unless p is an
//                     integer
//   clip p q          x < p ? p : x, then that > q ? q : that
//   abs neg sqrt      sign of NaN and of 0 as it comes
//   sign              -1, 0 or 1
//   floor ceil round  to integral values; round takes ties to even
//   reciprocal        1 / x
//   log erf
//   softplus          log(1 + e^x)
//   softsign          x / (1 + |x|)
//   mish              x tanh(log(1 + e^x))
//   selu p q          x < 0 ? p (e^x - 1) : q x
//   celu p            x < 0 ? p (e^(x / p) - 1) : x, p > 0
//   thresholded_relu p  x <= p ? +0 : x
//   affine_unit p q   fma(x, p, q) clipped to 0..1 (ONNX's HardSigmoid)
//   affine_relu p q   relu(fma(x, p, q))
//
// An element's result depends on its operands alone: not on its position, on n, on the ISA (but for those named fast). NaN
// passes through all of them (but for the two cases of pow). src and dst are the same or do not overlap, p and q do not overlap
// dst (with one row, p of add and mul may be dst). Nothing is touched beyond.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct EltwiseArgs {
  const float* src = nullptr;
  float* dst = nullptr;
  std::int64_t n = 0;
  const float* p = nullptr;
  const float* q = nullptr;
  std::int64_t rows = 1;
};
using EltwiseFn = void (*)(const EltwiseArgs&);

struct EltwiseFns {
  EltwiseFn uniform;
  EltwiseFn per_element;  // null where the function has no parameters
};

enum class EltwiseOp : int {
#define PYCONV_ELTWISE_KERNEL(op, functor, parameters) op,
#include "kernels/eltwise/eltwise_kernels.inc"
#undef PYCONV_ELTWISE_KERNEL
};

// The fastest row for `op` that `cap` allows.
const EltwiseFns& eltwise_fns(EltwiseOp op, Isa cap);

struct EltwiseKernel {
  KernelInfo info;  // names such as silu_f32_avx512
  const EltwiseFns* fns;
};

// One row for each op and ISA of this build.
const std::vector<EltwiseKernel>& eltwise_kernels();

}  // namespace pyconv
