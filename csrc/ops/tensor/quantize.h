// Affine quantisation with one scale and zero point for all, or one per index of an axis:
//
//     quantize     saturate(round(x / scale) + zero), ties to even; NaN gives the zero point
//     dequantize   (x - zero) * scale
#pragma once
#include "ops/tensor/tensor_view.h"

namespace pyconv {

// An array (outer, channels, inner); scale and zero of `channels` numbers (1: for all). zero has the
// quantised type and may be null: 0.
struct QuantizeProblem {
  std::int64_t outer = 1, channels = 1, inner = 1;
  DType dtype = DType::u8;  // of the integers: u8, i8; dequantize also i32
  int threads = 1;
};

void quantize_linear(const QuantizeProblem& problem, const float* src, const float* scale,
                     const void* zero, void* dst);
void dequantize_linear(const QuantizeProblem& problem, const void* src, const float* scale,
                       const void* zero, float* dst);

}  // namespace pyconv
