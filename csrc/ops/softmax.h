// softmax and log_softmax of an array (outer, length, inner) along its middle axis; the order of
// summation is that of kernels/softmax/softmax.h wherever the axis stands.
#pragma once
#include <cstdint>

#include "base/cpu.h"

namespace pyconv {

struct SoftmaxProblem {
  std::int64_t outer = 1, length = 1, inner = 1;
  bool log = false;
  Isa cap = Isa::scalar;
  int threads = 1;  // at most
};

// dst is src or does not overlap it.
void softmax(const SoftmaxProblem& problem, const float* src, float* dst);

}  // namespace pyconv
