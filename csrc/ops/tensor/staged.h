// Runs of floats with any step, made dense in blocks on the stack for the eltwise kernels.
#pragma once
#include <cstdint>

namespace pyconv {

constexpr std::int64_t kStage = 512;  // floats of a block

// The n floats `step` apart, or their copy in `stage` where they are not neighbours.
inline const float* gathered(const float* src, std::int64_t step, std::int64_t n, float* stage) {
  if (step == 1) return src;
  for (std::int64_t i = 0; i < n; ++i) stage[i] = src[i * step];
  return stage;
}

inline void scatter(const float* stage, float* dst, std::int64_t step, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) dst[i * step] = stage[i];
}

}  // namespace pyconv
