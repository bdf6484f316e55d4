// Conversion between the layouts of the interface (NCHW) and of the inside (NHWC).
#pragma once
#include <cstdint>
#include <string>

#include "base/cpu.h"
#include "kernels/transpose/transpose.h"
#include "ops/types.h"

namespace pyconv {

// The first row that `cap` allows, or the one named; null when there is none.
const TransposeKernel* find_transpose(Isa cap, const std::string& name = {});

// dst[i] (cols x rows) = transpose of src[i] (rows x cols), for i < images. The rows of src and dst
// lie src_stride and dst_stride floats apart, the images rows * src_stride and cols * dst_stride.
struct TransposeStrides {
  std::int64_t src, dst;
};
void transpose(const TransposeKernel& kernel, const float* src, float* dst, std::int64_t images,
               std::int64_t rows, std::int64_t cols, TransposeStrides strides, int threads);

// Images of `pixels` x `channels` from the other layout into `to`. `pixel`: floats from one NHWC pixel
// to the next, 0 when dense.
void convert_layout(const float* src, float* dst, Layout to, std::int64_t images,
                    std::int64_t channels, std::int64_t pixels, std::int64_t pixel, Isa cap,
                    int threads);

}  // namespace pyconv
