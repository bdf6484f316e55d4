// Concatenation: arrays side by side along one axis.
#pragma once
#include <cstdint>
#include <vector>

namespace pyconv {

// One input: `run` contiguous floats for each of the outer indices.
struct ConcatPart {
  const float* src;
  std::int64_t run;
};

// dst[o] = part 0's run o, part 1's run o, ...; dst overlaps no part.
void concat(const std::vector<ConcatPart>& parts, std::int64_t outer, float* dst, int threads);

}  // namespace pyconv
