// Activations applied in place to rows that an operator has just written.
#pragma once
#include <cstdint>

#include "base/cpu.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/types.h"

namespace pyconv {

// The elementwise kernel of an activation; its parameter p is alpha. `none` has no kernel.
EltwiseOp activation_op(const Activation& activation);

// data[r * stride + c] = f(data[r * stride + c]) for r < rows, c < cols. The same bits as the
// activation run as an operator of its own, on every ISA.
void activate_rows(const Activation& activation, Isa cap, float* data, std::int64_t rows,
                   std::int64_t cols, std::int64_t stride);

// What activate_rows takes for so many floats that lie near, estimated; 0 for a clamp, which kernels apply as
// they store.
double activation_cycles(const Activation& activation, Isa cap, std::int64_t floats);

}  // namespace pyconv
