#include "ops/tensor/pool_nd.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/extents.h"
#include "ops/tensor/loops.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

std::int64_t input_size(const PoolNdProblem& p) {
  std::int64_t product = 1;
  for (int i = 0; i < p.rank; ++i) product *= p.axes[i].size;
  return product;
}

std::int64_t output_size(const PoolNdProblem& p) {
  std::int64_t product = 1;
  for (int i = 0; i < p.rank; ++i) product *= p.axes[i].out();
  return product;
}

// A window: along each axis the taps first..last that lie in the image, and how many do not lie
// beyond the padding.
struct Window {
  std::int64_t start[kMaxRank], first[kMaxRank], last[kMaxRank];
  std::int64_t counted = 1;
  bool empty = false;
};

Window window_at(const PoolNdProblem& p, std::int64_t index) {
  Window w;
  for (int i = p.rank - 1; i >= 0; --i) {
    const PoolNdAxis& a = p.axes[i];
    const std::int64_t out = a.out(), start = index % out * a.stride - a.before;
    index /= out;
    w.start[i] = start;
    w.first[i] = start < 0 ? (-start + a.dilation - 1) / a.dilation : 0;
    w.last[i] = std::min(a.kernel, a.size - start <= 0 ? 0 : (a.size - start - 1) / a.dilation + 1);
    const std::int64_t room = a.size + a.after - start;
    w.counted *= std::min(a.kernel, room <= 0 ? 0 : (room - 1) / a.dilation + 1);
    w.empty = w.empty || w.first[i] >= w.last[i];
  }
  return w;
}

// visit(offset) for every tap of the window within the plane.
template <class Visit>
void for_taps(const PoolNdProblem& p, const Window& w, const Visit& visit) {
  if (w.empty) return;
  std::int64_t tap[kMaxRank];
  std::copy_n(w.first, p.rank, tap);
  for (;;) {
    std::int64_t at = 0;
    for (int i = 0; i < p.rank; ++i)
      at = at * p.axes[i].size + w.start[i] + tap[i] * p.axes[i].dilation;
    visit(at);
    int i = p.rank - 1;
    while (i >= 0 && ++tap[i] == w.last[i]) tap[i] = w.first[i], --i;
    if (i < 0) return;
  }
}

std::int64_t position_of(const PoolNdProblem& p, std::int64_t plane, std::int64_t at) {
  if (!p.column_major) return plane * input_size(p) + at;
  std::int64_t index[kMaxRank];
  for (int i = p.rank - 1; i >= 0; --i) {
    index[i] = at % p.axes[i].size;
    at /= p.axes[i].size;
  }
  std::int64_t turned = 0;
  for (int i = p.rank - 1; i >= 0; --i) turned = turned * p.axes[i].size + index[i];
  return plane * input_size(p) + turned;
}

template <class T>
void max_windows(const PoolNdProblem& p, const T* src, T* dst, std::int64_t* positions, int threads) {
  const std::int64_t in = input_size(p), out = output_size(p);
  parallel_for(p.planes, threads, [&](std::int64_t plane, int) {
    const T* from = src + plane * in;
    for (std::int64_t o = 0; o < out; ++o) {
      using Limits = std::numeric_limits<T>;
      T best = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
      std::int64_t found = -1;
      for_taps(p, window_at(p, o), [&](std::int64_t at) {
        const T x = from[at];
        if (found < 0 || x > best || (x != x && best == best)) best = x, found = at;
      });
      dst[plane * out + o] = best;
      if (positions) positions[plane * out + o] = found < 0 ? -1 : position_of(p, plane, found);
    }
  });
}

float power(float x, float exponent, EltwiseFn pow) {
  EltwiseArgs args;
  args.src = args.dst = &x;
  args.n = 1;
  args.p = &exponent;
  pow(args);
  return x;
}

void sum_windows(const PoolNdProblem& p, const float* src, float* dst, Isa cap, int threads) {
  const std::int64_t in = input_size(p), out = output_size(p);
  const EltwiseFn pow = eltwise_fns(EltwiseOp::pow, cap).uniform;
  const float exponent = static_cast<float>(p.p), root = static_cast<float>(1.0 / p.p);
  parallel_for(p.planes, threads, [&](std::int64_t plane, int) {
    const float* from = src + plane * in;
    for (std::int64_t o = 0; o < out; ++o) {
      const Window w = window_at(p, o);
      float sum = 0.0f;
      std::int64_t taps = 0;
      for_taps(p, w, [&](std::int64_t at) {
        const float x = from[at];
        ++taps;
        if (p.kind == PoolNdKind::avg) sum += x;
        else if (p.p == 1) sum += std::fabs(x);
        else if (p.p == 2) sum += x * x;
        else sum += power(std::fabs(x), exponent, pow);
      });
      if (p.kind == PoolNdKind::avg)
        sum /= static_cast<float>(p.include_pad ? w.counted : taps);
      else if (p.p != 1)
        sum = p.p == 2 ? std::sqrt(sum) : power(sum, root, pow);
      dst[plane * out + o] = sum;
    }
  });
}

}  // namespace

std::int64_t PoolNdAxis::out() const {
  const std::int64_t room = size + before + after - dilation * (kernel - 1) - 1;
  if (room < 0) return 0;
  std::int64_t count = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (count - 1) * stride >= size + before) --count;
  return count;
}

void PoolNdProblem::validate() const {
  if (rank < 1 || rank > kMaxRank - 2)
    throw InvalidArgument("x: expected one to six axes of an image, got " + std::to_string(rank));
  if (kind != PoolNdKind::max && dtype != DType::f32)
    throw InvalidArgument(std::string("x: expected float32, got ") + dtype_name(dtype));
  if (kind == PoolNdKind::lp && !(p > 0))
    throw InvalidArgument("p: expected a positive number, got " + std::to_string(p));
  for (int i = 0; i < rank; ++i) {
    const PoolNdAxis& a = axes[i];
    need_extent("x", a.size, 1);
    need_extent("kernel_shape", a.kernel, 1);
    need_extent("strides", a.stride, 1);
    need_extent("dilations", a.dilation, 1);
    need_extent("pads", a.before, 0);
    need_extent("pads", a.after, 0);
    need_elements("dilated window", {a.kernel, a.dilation});
    if (a.out() < 1)
      throw InvalidArgument("kernel_shape: a window of " +
                            std::to_string((a.kernel - 1) * a.dilation + 1) +
                            " does not fit an axis of " + std::to_string(a.size) + " with padding " +
                            std::to_string(a.before) + " and " + std::to_string(a.after));
  }
}

void pool_nd(const PoolNdProblem& p, const void* src, void* dst, std::int64_t* positions, Isa cap,
             int threads) {
  const FpEnvScope fp_env;
  double taps = 1;
  for (int i = 0; i < p.rank; ++i) taps *= static_cast<double>(p.axes[i].kernel);
  threads = threads_for(4 * taps * static_cast<double>(p.planes * output_size(p)), threads);
  if (p.kind != PoolNdKind::max)
    return sum_windows(p, static_cast<const float*>(src), static_cast<float*>(dst), cap, threads);
  with_type(p.dtype, [&](auto type) {
    using T = decltype(type);
    max_windows(p, static_cast<const T*>(src), static_cast<T*>(dst), positions, threads);
  });
}

}  // namespace pyconv
