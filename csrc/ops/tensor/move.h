// Moving elements without computing: copies between views, filling, selecting, converting.
#pragma once
#include "base/cpu.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

// dst = src, views of one dtype and shape that do not overlap: with the right strides this
// transposes, slices, reverses and broadcasts.
void copy(const TensorView& src, const TensorView& dst, Isa cap, int threads);

// Every element of dense dst becomes *value, of dst's dtype.
void fill(const void* value, const TensorView& dst, int threads);

// dst = cond ? a : b, shapes broadcast to dst's; cond is boolean, a, b and dst have one dtype.
void where(const TensorView& cond, const TensorView& a, const TensorView& b, const TensorView& dst,
           int threads);

// dst = src converted. To boolean: whether it is not 0, NaN included. Floats to integers: towards 0,
// saturated, NaN to 0. Integers to integers: the low bits.
void cast(const TensorView& src, const TensorView& dst, int threads);

// dst[.., j.., ..] = src[.., indices[j..], ..] along `axis` of dense src; indices is dense i64 or
// i32, its dimensions stand in dst where the axis stood. Negative indices count from the end; one
// out of range gives zeros.
void gather(const TensorView& src, int axis, const TensorView& indices, const TensorView& dst,
            int threads);

// dst[i] = start + i * delta, dense, f32 (one rounding each for product and sum), i64 or i32.
void range(double start, double delta, const TensorView& dst);

}  // namespace pyconv
