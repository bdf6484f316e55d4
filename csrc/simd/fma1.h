// fma1(a, b, c): one correctly rounded float fused multiply-add on any CPU.
//
// Where the target has the instruction it is used; else: the double product is exact (24+24 bits fit
// 53), TwoSum gives sum and error, rounding the sum to odd makes the final conversion to float round
// once (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
// rounding to odd", IEEE TC 57(4), 2008). Needs round-to-nearest and no FTZ/DAZ.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/target_region.h"

namespace pyconv {
namespace {

PYCONV_INLINE float fma1(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = static_cast<double>(c);
  const double sum = product + addend;
  const double back = sum - product;
  const double error = (product - (sum - back)) + (addend - back);
  std::uint64_t u;
  std::memcpy(&u, &sum, sizeof u);
  // An infinite or NaN sum makes `error` NaN: the comparison is false and the sum stands.
  const bool inexact = error > 0.0 || error < 0.0;
  if (inexact && (u & 1u) == 0) {
    // Towards zero, then odd: step down in magnitude when the error points there, else set the bit.
    const bool towards_zero = (error < 0.0) == (sum > 0.0);
    u = towards_zero ? u - 1 : u | 1;
    double odd;
    std::memcpy(&odd, &u, sizeof odd);
    return static_cast<float>(odd);
  }
  return static_cast<float>(sum);
#endif
}

}  // namespace
}  // namespace pyconv
