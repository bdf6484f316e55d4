// The source image as an affine array: padded once, densely, into the workspace where the problem pads.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"
#include "ops/conv2d/problem.h"

namespace pyconv {

// Strides in floats of the (padded) source of one image in either layout.
struct PaddedSource {
  std::int64_t height, width, row, pixel, channel, image;

  // src_pixel: floats from pixel to pixel of an NHWC source.
  PaddedSource(const Conv2dProblem& p, Layout layout, std::int64_t src_pixel)
      : height(p.ih + p.pt + p.pb), width(p.iw + p.pl + p.pr) {
    const bool nhwc = layout == Layout::nhwc;
    pixel = !nhwc ? 1 : p.padded() ? p.ic : src_pixel;
    row = width * pixel;
    channel = nhwc ? 1 : height * width;
    image = height * width * (nhwc ? pixel : p.ic);
  }

  // Furthest that one filter reaches from its first term.
  std::int64_t reach(const Conv2dProblem& p) const {
    return (p.kh - 1) * p.dh * row + (p.kw - 1) * p.dw * pixel + p.icg() * channel;
  }

  // Copies src into `to` (mb * image floats) with zeros around. One row of channels-last pixels, or
  // one row of a channel's plane, is a contiguous line.
  void pad(const Conv2dProblem& p, Layout layout, std::int64_t src_pixel, const float* src,
           float* to, int threads) const {
    const std::int64_t planes = layout == Layout::nhwc ? 1 : p.ic;
    const std::int64_t step = layout == Layout::nhwc ? src_pixel : 1;
    parallel_for(p.mb * planes, threads, [&](std::int64_t plane, int) {
      float* line = to + plane * height * row;
      const float* from = src + plane * p.ih * p.iw * step;
      const std::int64_t left = p.pl * pixel, middle = p.iw * pixel, right = p.pr * pixel;
      for (std::int64_t y = -p.pt; y < p.ih + p.pb; ++y, line += row) {
        if (y < 0 || y >= p.ih) {
          std::fill_n(line, row, 0.0f);
          continue;
        }
        std::fill_n(line, left, 0.0f);
        const float* pixels = from + y * p.iw * step;
        if (step == pixel)
          std::copy_n(pixels, middle, line + left);
        else
          for (std::int64_t x = 0; x < p.iw; ++x)
            std::copy_n(pixels + x * step, pixel, line + left + x * pixel);
        std::fill_n(line + left + middle, right, 0.0f);
      }
    });
  }
};

}  // namespace pyconv
