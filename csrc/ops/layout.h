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

// dst[i] (cols x rows) = transpose of src[i] (rows x cols), for i < images, both dense.
void transpose(const TransposeKernel& kernel, const float* src, float* dst, std::int64_t images,
               std::int64_t rows, std::int64_t cols, int threads);

// Images of `pixels` x `channels` from the other layout into `to`.
void convert_layout(const float* src, float* dst, Layout to, std::int64_t images,
                    std::int64_t channels, std::int64_t pixels, Isa cap, int threads);

}  // namespace pyconv
