// Two operands, broadcast as numpy does.
//
//   add sub mul            integers wrap around
//   div                    integers: towards 0; by 0 gives 0
//   mod                    the sign of the divisor; integers by 0 give 0
//   fmod                   the sign of the dividend; integers by 0 give 0
//   pow                    floats as IEEE 754 has it; integers wrap around, negative exponents give
//                          0 but for bases 1 and -1, and 0 of base 0
//   min max                NaN where either is
//   equal less less_equal greater greater_equal     to boolean
//   logical_and logical_or logical_xor              of booleans
#pragma once
#include <string>

#include "base/cpu.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

enum class BinaryOp : std::uint8_t {
  add, sub, mul, div, mod, fmod, pow, min, max,
  equal, less, less_equal, greater, greater_equal,
  logical_and, logical_or, logical_xor
};

const char* binary_name(BinaryOp op);
// The type of the result for operands of one type; throws InvalidArgument where there is none.
DType binary_dtype(BinaryOp op, DType dtype);

// a and b have one dtype and shapes that broadcast to dst's; dst, of binary_dtype, overlaps neither.
void binary(BinaryOp op, const TensorView& a, const TensorView& b, const TensorView& dst, Isa cap,
            int threads);

// An eltwise row of one parameter on f32: a is its x, b its p; broadcast as above.
void eltwise_pair(EltwiseOp op, const TensorView& a, const TensorView& b, const TensorView& dst,
                  Isa cap, int threads);

}  // namespace pyconv
