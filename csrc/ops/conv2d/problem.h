// Conv2dProblem: everything that decides what a forward convolution computes, but for the numbers.
//
//   dst[n, q, y, x] = bias[q] + sum over (r, s, c) of
//       src[n, group(q)*ic/g + c, y*sh - pt + r*dh, x*sw - pl + s*dw] * weights[q, c, r, s]
//
// with src = +0 outside the image. ic and oc are totals over the groups; dh = 1 is a dense kernel
// (torch's count, not oneDNN's). Source: Dumoulin and Visin, arXiv:1603.07285.
//
// As a line: mb2g4ic32oc64_ih56iw56kh3kw3sh2sw2dh1dw1pt0pl0pb1pr1. The w key is left out where it
// equals its h key, mb g s d where they are 1, padding where it is 0; ph/pw stand for equal pairs.
#pragma once
#include <cstdint>
#include <string>

#include "ops/types.h"

namespace pyconv {

struct Conv2dProblem {
  std::int64_t mb = 1, g = 1, ic = 0, oc = 0;
  std::int64_t ih = 0, iw = 0, kh = 1, kw = 1;
  std::int64_t sh = 1, sw = 1, dh = 1, dw = 1;
  std::int64_t pt = 0, pl = 0, pb = 0, pr = 0;
  DType dtype = DType::f32;

  std::int64_t icg() const { return ic / g; }
  std::int64_t ocg() const { return oc / g; }
  std::int64_t taps() const { return kh * kw; }
  std::int64_t depth() const { return icg() * taps(); }  // K, terms per output
  std::int64_t oh() const { return (ih + pt + pb - ((kh - 1) * dh + 1)) / sh + 1; }
  std::int64_t ow() const { return (iw + pl + pr - ((kw - 1) * dw + 1)) / sw + 1; }
  std::int64_t macs() const { return mb * oc * oh() * ow() * depth(); }
  std::int64_t src_size() const { return mb * ic * ih * iw; }
  std::int64_t dst_size() const { return mb * oc * oh() * ow(); }
  std::int64_t weight_size() const { return oc * depth(); }
  bool padded() const { return pt != 0 || pl != 0 || pb != 0 || pr != 0; }
  bool depthwise() const { return g == ic && g > 1; }

  bool operator==(const Conv2dProblem& other) const;

  // Throws InvalidArgument, naming the argument, unless every size is legal and every product of
  // sizes that the library forms fits 2^62 bytes. An empty batch is legal, and so is ic = 0.
  void validate() const;

  std::string str() const;
  static Conv2dProblem parse(const std::string& text);  // throws InvalidArgument; validates
};

}  // namespace pyconv
