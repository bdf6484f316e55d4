// Reductions over any axes.
//
//   sum mean prod sum_square l1 l2 log_sum log_sum_exp     (floats; sums and l1 of integers as well)
//   max min                                                NaN where one takes part
//
// The elements of one result are taken in row-major order of the reduced axes. Sums of floats are 16
// partial sums, term i in number i mod 16, and their fixed tree (sum j takes j + 8, j + 4, j + 2,
// j + 1), wherever the axes stand. mean divides the sum once. Nothing to reduce gives 0 for sums,
// 1 for prod, infinities (the type's bounds) for max and min, NaN for mean.
#pragma once
#include <cstdint>
#include <string>

#include "base/cpu.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

enum class ReduceOp : std::uint8_t {
  sum, mean, prod, sum_square, l1, l2, log_sum, log_sum_exp, max, min
};

bool reduce_takes(ReduceOp op, DType dtype);

// dst is dense, its dimensions are src's with those of `axes` (bit i: axis i) of size 1.
void reduce(ReduceOp op, const TensorView& src, unsigned axes, const TensorView& dst, Isa cap,
            int threads);

// Position along `axis` of the largest (or smallest) element: the first one, or the last. NaN counts
// as the largest and as the smallest. dst: dense i64 of src's shape with size 1 at `axis`.
void arg_extreme(bool largest, bool last, const TensorView& src, int axis, const TensorView& dst,
                 int threads);

}  // namespace pyconv
