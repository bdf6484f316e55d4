#include "ops/tensor/unary.h"

#include <limits>
#include <string>
#include <type_traits>

#include "base/status.h"
#include "ops/tensor/loops.h"
#include "ops/tensor/staged.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

template <class Out, class T, class F>
void map(const TensorView& src, const TensorView& dst, int threads, const F& f) {
  const LoopNest<2> nest = loop_nest<2>({&src, &dst});
  const std::int64_t ss = nest.step[0], sd = nest.step[1];
  for_rows(nest, threads, 1.0, [&](const std::int64_t* at, std::int64_t n) {
    const T* from = src.as<const T>() + at[0];
    Out* to = dst.as<Out>() + at[1];
    if (ss == 1 && sd == 1) {
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(from[i]);
    } else {
      for (std::int64_t i = 0; i < n; ++i) to[i * sd] = f(from[i * ss]);
    }
  });
}

template <class T>
T negated(T x) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(0u - static_cast<std::common_type_t<U, unsigned>>(x)));
}

template <class T>
void integer_map(EltwiseOp op, std::int64_t lo, std::int64_t hi, const TensorView& src,
                 const TensorView& dst, int threads) {
  const auto with = [&](const auto& f) { map<T, T>(src, dst, threads, f); };
  switch (op) {
    case EltwiseOp::abs: return with([](T x) { return x < 0 ? negated(x) : x; });
    case EltwiseOp::neg: return with(negated<T>);
    case EltwiseOp::sign: return with([](T x) { return static_cast<T>((x > 0) - (x < 0)); });
    case EltwiseOp::clip:
      return with([lo, hi](T x) {
        const std::int64_t low = x < lo ? lo : x;
        return static_cast<T>(low > hi ? hi : low);
      });
    default: return with([](T x) { return x; });
  }
}

}  // namespace

void unary(EltwiseOp op, float p, float q, const TensorView& src, const TensorView& dst, Isa cap,
           int threads) {
  const FpEnvScope fp_env;
  const LoopNest<2> nest = loop_nest<2>({&src, &dst});
  const EltwiseFn fn = eltwise_fns(op, cap).uniform;
  const std::int64_t ss = nest.step[0], sd = nest.step[1];
  for_rows(nest, threads, 2.0, [&](const std::int64_t* at, std::int64_t n) {
    float stage_src[kStage], stage_dst[kStage];
    const std::int64_t block = ss == 1 && sd == 1 ? n : kStage;
    for (std::int64_t i = 0; i < n; i += block) {
      float* to = dst.as<float>() + at[1] + i * sd;
      EltwiseArgs args;
      args.n = std::min(block, n - i);
      args.src = gathered(src.as<float>() + at[0] + i * ss, ss, args.n, stage_src);
      args.dst = sd == 1 ? to : stage_dst;
      args.p = &p;
      args.q = &q;
      fn(args);
      if (sd != 1) scatter(stage_dst, to, sd, args.n);
    }
  });
}

void need_integer_unary(EltwiseOp op, DType dtype) {
  switch (op) {
    case EltwiseOp::abs:
    case EltwiseOp::neg:
    case EltwiseOp::sign:
    case EltwiseOp::clip:
    case EltwiseOp::floor:
    case EltwiseOp::ceil:
    case EltwiseOp::round:
      if (dtype != DType::boolean) return;
      [[fallthrough]];
    default:
      throw InvalidArgument(std::string("x: expected float32, got ") + dtype_name(dtype));
  }
}

void integer_unary(EltwiseOp op, std::int64_t lo, std::int64_t hi, const TensorView& src,
                   const TensorView& dst, int threads) {
  with_type(src.dtype, [&](auto type) {
    using T = decltype(type);
    if constexpr (!std::is_same_v<T, float>) integer_map<T>(op, lo, hi, src, dst, threads);
  });
}

void test_elements(TestOp op, const TensorView& src, const TensorView& dst, int threads) {
  using Byte = std::uint8_t;
  constexpr float inf = std::numeric_limits<float>::infinity();
  const auto with = [&](const auto& f) { map<Byte, float>(src, dst, threads, f); };
  switch (op) {
    case TestOp::logical_not:
      return map<Byte, Byte>(src, dst, threads, [](Byte x) { return Byte(x == 0); });
    case TestOp::isnan: return with([](float x) { return Byte(x != x); });
    case TestOp::isinf: return with([](float x) { return Byte(x == inf || x == -inf); });
    case TestOp::isinf_positive: return with([](float x) { return Byte(x == inf); });
    case TestOp::isinf_negative: return with([](float x) { return Byte(x == -inf); });
  }
}

}  // namespace pyconv
