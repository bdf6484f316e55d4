// Resizing of images, with torch's coordinates:
//
//     nearest                     source index min(floor(i * step), size - 1)
//     bilinear                    source position max((i + 1/2) * step - 1/2, 0)
//     bilinear, align_corners     source position i * (size - 1) / (out - 1), 0 where out is 1
//
// step is size / out, or 1 / scale factor where one was given. Positions are computed in double by
// one division each; the weight of the right (lower) neighbour is the position's fraction, rounded to
// float. Rows are interpolated along the width, rounded, and then along the height.
#pragma once
#include <cstdint>

#include "base/cpu.h"

namespace pyconv {

enum class ResizeMode : std::uint8_t { nearest, bilinear };

struct ResizeAxis {
  std::int64_t size = 0, out = 0;
  double factor = 0.0;  // the scale factor given, 0 where the size was given
};

struct ResizeProblem {
  std::int64_t planes = 1;  // images times channels where channels are planes, else images
  std::int64_t pixel = 1;   // floats of a pixel: channels where they are last
  ResizeAxis height, width;
  ResizeMode mode = ResizeMode::nearest;
  bool align_corners = false;
  Isa cap = Isa::scalar;
  int threads = 1;  // at most
};

// dst of (planes, height.out, width.out, pixel) does not overlap src; both sizes are 1 or more.
void resize(const ResizeProblem& problem, const float* src, float* dst);

}  // namespace pyconv
