// Functions of one operand, element by element. Floats: kernels/eltwise/eltwise.h says what each
// computes, parameters among them. Integers: abs, neg (both wrap around), sign and clip;
// floor, ceil and round leave them as they are.
#pragma once
#include "base/cpu.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

// f32 to f32. p and q: the kernel's parameters.
void unary(EltwiseOp op, float p, float q, const TensorView& src, const TensorView& dst, Isa cap,
           int threads);

// The operations that integers have; throws InvalidArgument for others.
void need_integer_unary(EltwiseOp op, DType dtype);
void integer_unary(EltwiseOp op, std::int64_t lo, std::int64_t hi, const TensorView& src,
                   const TensorView& dst, int threads);

enum class TestOp : std::uint8_t { logical_not, isnan, isinf, isinf_positive, isinf_negative };

// boolean to boolean (logical_not), f32 to boolean (the rest).
void test_elements(TestOp op, const TensorView& src, const TensorView& dst, int threads);

}  // namespace pyconv
