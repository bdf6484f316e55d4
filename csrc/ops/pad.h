// Padding of images.
#pragma once
#include <cstdint>

#include "ops/types.h"

namespace pyconv {

enum class PadMode : std::uint8_t {
  constant,   // a given value
  reflect,    // mirrored about the edge pixel, which is not repeated
  replicate,  // the edge pixel
};

struct PadProblem {
  std::int64_t planes = 1;  // images times channels where channels are planes, else images
  std::int64_t height = 0, width = 0;
  std::int64_t pixel = 1;  // floats of a pixel: channels where they are last
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  PadMode mode = PadMode::constant;
  float value = 0.0f;
  int threads = 1;  // at most
};

// Throws InvalidArgument when a side is negative, or reaches beyond what its mode can read.
void validate_pad(const PadProblem& problem);

// dst of (planes, top + height + bottom, left + width + right, pixel) does not overlap src.
void pad(const PadProblem& problem, const float* src, float* dst);

}  // namespace pyconv
