// Instance normalisation: each plane of each image by its own mean and variance,
//
//     y = (x - mean) / sqrt(var + eps) * scale[c] + bias[c]
//
// mean and var (biased) over the plane, their sums in the order of ops/tensor/reduce.h.
#pragma once
#include <cstdint>

namespace pyconv {

// x and y: dense (images, channels, pixels), the same or not overlapping.
void instance_norm(std::int64_t images, std::int64_t channels, std::int64_t pixels, float eps,
                   const float* x, const float* scale, const float* bias, float* y, int threads);

}  // namespace pyconv
