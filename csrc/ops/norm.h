// Normalisation at inference: batch norm folded to a scale and a shift, local response normalisation.
#pragma once
#include <cstdint>
#include <vector>

#include "base/cpu.h"

namespace pyconv {

// y = fma(x, scale[c], shift[c]) is the batch norm; the network's folding pass uses the same numbers.
struct FoldedNorm {
  std::vector<float> scale, shift;
};

// scale = weight / sqrt(var + eps) and shift = bias - mean * scale, computed in double and rounded
// once. weight and bias may be null: 1 and 0.
FoldedNorm fold_batch_norm(const float* mean, const float* var, const float* weight,
                           const float* bias, double eps, std::int64_t channels);

struct LrnProblem {
  std::int64_t images = 1, channels = 1, pixels = 1;
  bool channels_last = false;
  std::int64_t size = 1;  // channels of the window: size / 2 before and (size - 1) / 2 after
  double alpha = 0, beta = 0, k = 0;
  Isa cap = Isa::scalar;
  int threads = 1;  // at most
};

// y = x / (k + alpha / size * sum of squares over the window of channels)^beta; dst overlaps no src.
// Throws InvalidArgument for a size below 1 or a beta beyond 10^6.
void lrn(const LrnProblem& problem, const float* src, float* dst);

}  // namespace pyconv
