#include "ops/tensor/quantize.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "base/thread_pool.h"
#include "ops/extents.h"
#include "ops/tensor/loops.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// To an integral value, ties to even, for |x| < 2^22.
float round_even(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23
  return (x + kRound) - kRound;
}

template <class Body>
void for_planes(const QuantizeProblem& p, const Body& body) {
  const double work = 2.0 * static_cast<double>(p.outer * p.channels * p.inner);
  parallel_for(p.outer * p.channels, threads_for(work, p.threads), [&](std::int64_t plane, int) {
    body(plane * p.inner, plane % p.channels);
  });
}

template <class T>
void quantize_as(const QuantizeProblem& p, const float* src, const float* scale, const T* zero, T* dst) {
  constexpr float kLow = static_cast<float>(std::numeric_limits<T>::min());
  constexpr float kHigh = static_cast<float>(std::numeric_limits<T>::max());
  for_planes(p, [&](std::int64_t at, std::int64_t c) {
    const float step = scale[c], shift = zero ? static_cast<float>(zero[c]) : 0.0f;
    for (std::int64_t i = at; i < at + p.inner; ++i) {
      const float x = src[i] / step;
      const float y = x != x ? shift : round_even(std::min(std::max(x, -1024.0f), 1024.0f)) + shift;
      dst[i] = static_cast<T>(std::min(std::max(y, kLow), kHigh));
    }
  });
}

template <class T>
void dequantize_as(const QuantizeProblem& p, const T* src, const float* scale, const T* zero, float* dst) {
  for_planes(p, [&](std::int64_t at, std::int64_t c) {
    const float step = scale[c];
    const std::int64_t shift = zero ? static_cast<std::int64_t>(zero[c]) : 0;
    for (std::int64_t i = at; i < at + p.inner; ++i)
      dst[i] = static_cast<float>(static_cast<std::int64_t>(src[i]) - shift) * step;
  });
}

}  // namespace

void quantize_linear(const QuantizeProblem& p, const float* src, const float* scale,
                     const void* zero, void* dst) {
  const FpEnvScope fp_env;
  if (p.dtype == DType::u8)
    return quantize_as(p, src, scale, static_cast<const std::uint8_t*>(zero),
                       static_cast<std::uint8_t*>(dst));
  quantize_as(p, src, scale, static_cast<const std::int8_t*>(zero), static_cast<std::int8_t*>(dst));
}

void dequantize_linear(const QuantizeProblem& p, const void* src, const float* scale,
                       const void* zero, float* dst) {
  const FpEnvScope fp_env;
  with_type(p.dtype, [&](auto type) {
    using T = decltype(type);
    if constexpr (!std::is_same_v<T, float>)
      dequantize_as(p, static_cast<const T*>(src), scale, static_cast<const T*>(zero), dst);
  });
}

}  // namespace pyconv
