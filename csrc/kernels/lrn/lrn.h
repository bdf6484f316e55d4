// Local response normalisation of `n` neighbouring elements:
//
//     d_i = k + scale * sum over j < count of x_(j,i)^2        x_(j,i) = window[j * stride + i]
//     dst_i = src_i * d_i^-beta
//
// The sum is one chain of fused multiply-adds in rising j that starts at +0; then one fused
// multiply-add gives d. dst_i is src_i / (sqrt(d) sqrt(sqrt(d))) where beta is 3/4, src_i / sqrt(d) where
// it is 1/2; else d^-beta is exp(-beta log d) with the logarithm in two parts. beta != 0.
// d = 0 gives an infinity (beta > 0), d = inf gives 0, negative d NaN. dst overlaps neither src nor
// the window. Nothing is touched beyond n elements of src, dst and each of the rows of the window.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct LrnArgs {
  const float* src = nullptr;
  const float* window = nullptr;
  float* dst = nullptr;
  std::int64_t n = 0, count = 0, stride = 0;
  float scale = 0, k = 0, beta = 0;
};
using LrnFn = void (*)(const LrnArgs&);

struct LrnKernel {
  KernelInfo info;
  LrnFn run;
};

const std::vector<LrnKernel>& lrn_kernels();
// The fastest row that `cap` allows.
const LrnKernel& lrn_kernel(Isa cap);

}  // namespace pyconv
