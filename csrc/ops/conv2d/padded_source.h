// The source image as an affine array. Where the problem pads, the rows that a band of output rows
// needs are copied between zeros first, into the workspace of a thread: a band stays in L2.
#pragma once
#include <algorithm>
#include <cstdint>

#include "ops/conv2d/problem.h"

namespace pyconv {

// Strides in floats of the source of one image, or of its padded band, in either layout.
struct PaddedSource {
  std::int64_t height, width, row, pixel, channel, image;
  std::int64_t band = 0, bands = 0;  // output rows of a band, bands of an image; 0: nothing is padded

  // src_pixel: floats from pixel to pixel of an NHWC source.
  PaddedSource(const Conv2dProblem& p, Layout layout, std::int64_t src_pixel, int threads)
      : height(p.ih), width(p.iw + p.pl + p.pr) {
    if (p.padded()) cut(p, threads);
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

  // Copies into `to` (`image` floats) what output rows [y0, y1) need of the image at src, with zeros
  // around. One row of channels-last pixels, or of a channel's plane, is a contiguous line.
  void pad(const Conv2dProblem& p, Layout layout, std::int64_t src_pixel, const float* src,
           std::int64_t y0, std::int64_t y1, float* to) const {
    const std::int64_t planes = layout == Layout::nhwc ? 1 : p.ic;
    const std::int64_t step = layout == Layout::nhwc ? src_pixel : 1;
    const std::int64_t top = y0 * p.sh - p.pt, rows = (y1 - y0 - 1) * p.sh + extent(p);
    for (std::int64_t plane = 0; plane < planes; ++plane) {
      float* line = to + plane * channel;
      const float* from = src + plane * p.ih * p.iw * step;
      for (std::int64_t y = top; y < top + rows; ++y, line += row) {
        if (y < 0 || y >= p.ih)
          std::fill_n(line, row, 0.0f);
        else
          pad_line(p, from + y * p.iw * step, step, line);
      }
    }
  }

 private:
  // Floats of a band that shares L2 with the weights and the output; a band of few rows would copy the
  // rows that it has in common with the next too often.
  static constexpr std::int64_t kBandFloats = 16384;

  static std::int64_t extent(const Conv2dProblem& p) { return (p.kh - 1) * p.dh + 1; }

  void cut(const Conv2dProblem& p, int threads) {
    const std::int64_t oh = std::max<std::int64_t>(1, p.oh()), tall = extent(p);
    const std::int64_t fits = kBandFloats / std::max<std::int64_t>(1, width * p.ic);
    const std::int64_t least = std::max<std::int64_t>(1, (4 * (tall - p.sh) + p.sh - 1) / p.sh);
    band = std::max(least, (fits - tall) / p.sh + 1);
    if (threads > 1) band = std::min(band, std::max(least, p.mb * oh / (4 * threads)));
    bands = (oh + band - 1) / band;
    band = (oh + bands - 1) / bands;
    height = (band - 1) * p.sh + tall;
  }

  void pad_line(const Conv2dProblem& p, const float* pixels, std::int64_t step, float* line) const {
    const std::int64_t left = p.pl * pixel, middle = p.iw * pixel;
    std::fill_n(line, left, 0.0f);
    if (step == pixel)
      std::copy_n(pixels, middle, line + left);
    else
      for (std::int64_t x = 0; x < p.iw; ++x)
        std::copy_n(pixels + x * step, pixel, line + left + x * pixel);
    std::fill_n(line + left + middle, p.pr * pixel, 0.0f);
  }
};

}  // namespace pyconv
