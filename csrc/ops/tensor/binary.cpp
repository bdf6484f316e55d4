#include "ops/tensor/binary.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "base/status.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/tensor/loops.h"
#include "ops/tensor/wrapped.h"
#include "ops/tensor/staged.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr const char* kNames[] = {
    "add", "sub", "mul", "div", "mod", "fmod", "pow", "min", "max",
    "equal", "less", "less_equal", "greater", "greater_equal",
    "logical_and", "logical_or", "logical_xor",
};

bool is_comparison(BinaryOp op) { return op >= BinaryOp::equal && op <= BinaryOp::greater_equal; }
bool is_logical(BinaryOp op) { return op >= BinaryOp::logical_and; }

template <class T>
bool is_minus_one(T value) {
  return std::is_signed_v<T> && value == static_cast<T>(-1);
}

template <class T>
T divide(T a, T b) {
  if (b == 0) return 0;
  return is_minus_one(b) ? Wrapped<T>::sub(0, a) : static_cast<T>(a / b);
}

template <class T>
T truncated_mod(T a, T b) {
  return b == 0 || is_minus_one(b) ? T{0} : static_cast<T>(a % b);
}

template <class T>
T floored_mod(T a, T b) {
  const T rest = truncated_mod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
}

// Zeros take the divisor's sign, as everything else does.
float floored_mod(float a, float b) {
  const float rest = std::fmod(a, b);
  if (rest == 0.0f) return std::copysign(0.0f, b);
  return (rest < 0.0f) != (b < 0.0f) ? rest + b : rest;
}

template <class T>
T power(T base, T exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    return is_minus_one(base) ? static_cast<T>(exponent % 2 == 0 ? 1 : -1) : T{0};
  }
  T result = 1;
  for (; exponent > 0; exponent = static_cast<T>(exponent / 2)) {
    if (exponent % 2 == 1) result = Wrapped<T>::mul(result, base);
    base = Wrapped<T>::mul(base, base);
  }
  return result;
}

template <class Out, class T, class F>
void run(const TensorView& a, const TensorView& b, const TensorView& dst, int threads, const F& f) {
  const LoopNest<3> nest = loop_nest<3>({&a, &b, &dst});
  const std::int64_t sa = nest.step[0], sb = nest.step[1], sd = nest.step[2];
  for_rows(nest, threads, 1.0, [&](const std::int64_t* at, std::int64_t n) {
    const T* from_a = a.as<const T>() + at[0];
    const T* from_b = b.as<const T>() + at[1];
    Out* to = dst.as<Out>() + at[2];
    if (sa == 1 && sb == 1 && sd == 1) {
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(from_a[i], from_b[i]);
    } else if (sa == 1 && sb == 0 && sd == 1) {
      const T other = *from_b;
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(from_a[i], other);
    } else {
      for (std::int64_t i = 0; i < n; ++i) to[i * sd] = f(from_a[i * sa], from_b[i * sb]);
    }
  });
}

template <class T>
void compare(BinaryOp op, const TensorView& a, const TensorView& b, const TensorView& dst,
             int threads) {
  const auto with = [&](const auto& f) { run<std::uint8_t, T>(a, b, dst, threads, f); };
  switch (op) {
    case BinaryOp::equal: return with([](T x, T y) { return x == y; });
    case BinaryOp::less: return with([](T x, T y) { return x < y; });
    case BinaryOp::less_equal: return with([](T x, T y) { return x <= y; });
    case BinaryOp::greater: return with([](T x, T y) { return x > y; });
    default: return with([](T x, T y) { return x >= y; });
  }
}

template <class T>
void integers(BinaryOp op, const TensorView& a, const TensorView& b, const TensorView& dst,
              int threads) {
  const auto with = [&](const auto& f) { run<T, T>(a, b, dst, threads, f); };
  switch (op) {
    case BinaryOp::add: return with(Wrapped<T>::add);
    case BinaryOp::sub: return with(Wrapped<T>::sub);
    case BinaryOp::mul: return with(Wrapped<T>::mul);
    case BinaryOp::div: return with(divide<T>);
    case BinaryOp::mod: return with(floored_mod<T>);
    case BinaryOp::fmod: return with(truncated_mod<T>);
    case BinaryOp::pow: return with(power<T>);
    case BinaryOp::min: return with([](T x, T y) { return x < y ? x : y; });
    default: return with([](T x, T y) { return x > y ? x : y; });
  }
}

void logical(BinaryOp op, const TensorView& a, const TensorView& b, const TensorView& dst,
             int threads) {
  using T = std::uint8_t;
  const auto with = [&](const auto& f) { run<T, T>(a, b, dst, threads, f); };
  if (op == BinaryOp::logical_and) return with([](T x, T y) { return T(x != 0 && y != 0); });
  if (op == BinaryOp::logical_or) return with([](T x, T y) { return T(x != 0 || y != 0); });
  with([](T x, T y) { return T((x != 0) != (y != 0)); });
}

EltwiseOp eltwise_op(BinaryOp op) {
  switch (op) {
    case BinaryOp::add: return EltwiseOp::add;
    case BinaryOp::sub: return EltwiseOp::sub;
    case BinaryOp::mul: return EltwiseOp::mul;
    case BinaryOp::div: return EltwiseOp::div;
    case BinaryOp::pow: return EltwiseOp::pow;
    case BinaryOp::min: return EltwiseOp::minimum;
    default: return EltwiseOp::maximum;
  }
}

// Kernels of the eltwise family on dense blocks of a and dst, with b dense or one number.
void floats(EltwiseOp op, const TensorView& a, const TensorView& b, const TensorView& dst, Isa cap,
            int threads) {
  const LoopNest<3> nest = loop_nest<3>({&a, &b, &dst});
  const EltwiseFns& fns = eltwise_fns(op, cap);
  const std::int64_t sa = nest.step[0], sb = nest.step[1], sd = nest.step[2];
  const bool dense = sa == 1 && (sb == 0 || sb == 1) && sd == 1;
  const double cycles = op == EltwiseOp::pow ? 4.0 : 0.5;
  for_rows(nest, threads, cycles, [&](const std::int64_t* at, std::int64_t n) {
    float stage_a[kStage], stage_b[kStage], stage_dst[kStage];
    const std::int64_t block = dense ? n : kStage;
    for (std::int64_t i = 0; i < n; i += block) {
      float* to = dst.as<float>() + at[2] + i * sd;
      EltwiseArgs args;
      args.n = std::min(block, n - i);
      args.src = gathered(a.as<float>() + at[0] + i * sa, sa, args.n, stage_a);
      args.p = b.as<float>() + at[1] + i * sb;
      args.dst = sd == 1 ? to : stage_dst;
      if (sb != 0) args.p = gathered(args.p, sb, args.n, stage_b);
      (sb == 0 ? fns.uniform : fns.per_element)(args);
      if (sd != 1) scatter(stage_dst, to, sd, args.n);
    }
  });
}

}  // namespace

const char* binary_name(BinaryOp op) { return kNames[static_cast<int>(op)]; }

DType binary_dtype(BinaryOp op, DType dtype) {
  const bool boolean = dtype == DType::boolean;
  const bool fits = is_logical(op)            ? boolean
                    : op == BinaryOp::equal   ? true
                                              : !boolean;
  if (!fits)
    throw InvalidArgument(std::string(binary_name(op)) + ": no such operation on " +
                          dtype_name(dtype));
  return is_comparison(op) ? DType::boolean : dtype;
}

void binary(BinaryOp op, const TensorView& a, const TensorView& b, const TensorView& dst, Isa cap,
            int threads) {
  const FpEnvScope fp_env;
  const TensorView wide_a = broadcast_view(a, dst.shape), wide_b = broadcast_view(b, dst.shape);
  if (is_logical(op)) return logical(op, wide_a, wide_b, dst, threads);
  if (is_comparison(op))
    return with_type(a.dtype, [&](auto type) {
      compare<decltype(type)>(op, wide_a, wide_b, dst, threads);
    });
  if (a.dtype != DType::f32)
    return with_type(a.dtype, [&](auto type) {
      if constexpr (!std::is_same_v<decltype(type), float>)
        integers<decltype(type)>(op, wide_a, wide_b, dst, threads);
    });
  if (op == BinaryOp::mod)
    return run<float, float>(wide_a, wide_b, dst, threads,
                             [](float x, float y) { return floored_mod(x, y); });
  if (op != BinaryOp::fmod) return floats(eltwise_op(op), wide_a, wide_b, dst, cap, threads);
  run<float, float>(wide_a, wide_b, dst, threads, [](float x, float y) { return std::fmod(x, y); });
}

void eltwise_pair(EltwiseOp op, const TensorView& a, const TensorView& b, const TensorView& dst,
                  Isa cap, int threads) {
  const FpEnvScope fp_env;
  floats(op, broadcast_view(a, dst.shape), broadcast_view(b, dst.shape), dst, cap, threads);
}

}  // namespace pyconv
