// Linear interpolation between two rows:
//
//     dst_i = fma(b_i, w_i, a_i * (1 - w_i))        0 <= w_i <= 1
//
// with one weight for all (uniform: *w) or one per element. A row of weight 0 takes part, so 0 * inf
// is NaN. dst is a or b or overlaps none. Nothing is touched beyond n elements.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct LerpArgs {
  const float* a = nullptr;
  const float* b = nullptr;
  const float* w = nullptr;
  float* dst = nullptr;
  std::int64_t n = 0;
};
using LerpFn = void (*)(const LerpArgs&);

struct LerpFns {
  LerpFn uniform, per_element;
};

struct LerpKernel {
  KernelInfo info;
  const LerpFns* fns;
};

const std::vector<LerpKernel>& lerp_kernels();
// The fastest row that `cap` allows.
const LerpKernel& lerp_kernel(Isa cap);

}  // namespace pyconv
