#include "ops/tensor/reduce.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/eltwise/eltwise.h"
#include "ops/tensor/loops.h"
#include "ops/tensor/wrapped.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr int kSums = 16;
constexpr std::int64_t kLanes = 32;  // results side by side

// src's axes apart: those that stay, and those reduced, joined where they can be.
struct Split {
  LoopNest<2> kept;     // src and dst
  LoopNest<1> reduced;  // src
  std::int64_t terms;   // of one result
};

Split split(const TensorView& src, unsigned axes, const TensorView& dst) {
  TensorView kept_src = src, kept_dst = dst, reduced = src;
  for (int i = 0; i < src.shape.rank; ++i) {
    const bool goes = axes >> i & 1u;
    if (goes)
      kept_src.shape[i] = kept_dst.shape[i] = 1;
    else
      reduced.shape[i] = 1;
  }
  Split parts{loop_nest<2>({&kept_src, &kept_dst}), loop_nest<1>({&reduced}), 0};
  parts.terms = parts.reduced.rows * parts.reduced.n;
  return parts;
}

template <class T>
T tree(const T* sums) {
  T s[kSums];
  std::copy_n(sums, kSums, s);
  for (int half = kSums / 2; half >= 1; half /= 2)
    for (int j = 0; j < half; ++j) s[j] = Wrapped<T>::add(s[j], s[j + half]);
  return s[0];
}

// One result: neighbours in memory are its terms.
template <class T, class Term>
T sum_run(const LoopNest<1>& nest, const T* src, const Term& term) {
  T sums[kSums] = {};
  RowWalk<1> walk(nest, 0);
  std::int64_t index = 0;
  for (std::int64_t row = 0; row < nest.rows; ++row, walk.next()) {
    const T* from = src + walk.at[0];
    std::int64_t i = 0;
    for (; i < nest.n && index % kSums != 0; ++i, ++index)
      sums[index % kSums] = Wrapped<T>::add(sums[index % kSums], term(from[i * nest.step[0]]));
    if (nest.step[0] == 1)
      for (; i + kSums <= nest.n; i += kSums, index += kSums)
        for (int j = 0; j < kSums; ++j) sums[j] = Wrapped<T>::add(sums[j], term(from[i + j]));
    for (; i < nest.n; ++i, ++index)
      sums[index % kSums] = Wrapped<T>::add(sums[index % kSums], term(from[i * nest.step[0]]));
  }
  return tree(sums);
}

// `count` results side by side, `step` apart in src.
template <class T, class Term>
void sum_lanes(const LoopNest<1>& nest, const T* src, std::int64_t step, std::int64_t count,
               const Term& term, T* out) {
  T sums[kSums][kLanes] = {};
  RowWalk<1> walk(nest, 0);
  std::int64_t index = 0;
  for (std::int64_t row = 0; row < nest.rows; ++row, walk.next()) {
    for (std::int64_t i = 0; i < nest.n; ++i, ++index) {
      const T* from = src + walk.at[0] + i * nest.step[0];
      T* into = sums[index % kSums];
      for (std::int64_t c = 0; c < count; ++c) into[c] = Wrapped<T>::add(into[c], term(from[c * step]));
    }
  }
  for (std::int64_t c = 0; c < count; ++c) {
    T column[kSums];
    for (int j = 0; j < kSums; ++j) column[j] = sums[j][c];
    out[c] = tree(column);
  }
}

// Terms one after the other: prod, max, min.
template <class T, class Fold>
void fold_lanes(const LoopNest<1>& nest, const T* src, std::int64_t step, std::int64_t count,
                T start, const Fold& fold, T* out) {
  std::fill_n(out, count, start);
  RowWalk<1> walk(nest, 0);
  for (std::int64_t row = 0; row < nest.rows; ++row, walk.next())
    for (std::int64_t i = 0; i < nest.n; ++i) {
      const T* from = src + walk.at[0] + i * nest.step[0];
      for (std::int64_t c = 0; c < count; ++c) out[c] = fold(out[c], from[c * step]);
    }
}

// compute(src, count, out) for groups of up to kLanes results that lie side by side.
template <class T, class Compute>
void for_results(const Split& parts, const TensorView& src, const TensorView& dst, int threads,
                 const Compute& compute) {
  const double cycles = 1.0 + static_cast<double>(parts.terms);
  for_rows(parts.kept, threads, cycles, [&](const std::int64_t* at, std::int64_t n) {
    for (std::int64_t i = 0; i < n; i += kLanes) {
      T out[kLanes];
      const std::int64_t count = std::min(kLanes, n - i);
      compute(src.as<const T>() + at[0] + i * parts.kept.step[0], count, out);
      for (std::int64_t c = 0; c < count; ++c)
        dst.as<T>()[at[1] + (i + c) * parts.kept.step[1]] = out[c];
    }
  });
}

template <class T, class Term>
void sums(const Split& parts, const TensorView& src, const TensorView& dst, int threads,
          const Term& term) {
  const std::int64_t step = parts.kept.step[0];
  const bool along = parts.reduced.step[0] == 1 && parts.terms > 1;
  for_results<T>(parts, src, dst, threads, [&](const T* from, std::int64_t count, T* out) {
    if (!along) return sum_lanes(parts.reduced, from, step, count, term, out);
    for (std::int64_t c = 0; c < count; ++c) out[c] = sum_run(parts.reduced, from + c * step, term);
  });
}

template <class T, class Fold>
void folds(const Split& parts, const TensorView& src, const TensorView& dst, int threads, T start,
           const Fold& fold) {
  const std::int64_t step = parts.kept.step[0];
  for_results<T>(parts, src, dst, threads, [&](const T* from, std::int64_t count, T* out) {
    fold_lanes(parts.reduced, from, step, count, start, fold, out);
  });
}

template <class T>
T lowest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::lowest();
}

template <class T>
T highest() {
  return std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::max();
}

void apply(EltwiseOp op, Isa cap, float p, const TensorView& dst) {
  EltwiseArgs args;
  args.src = args.dst = dst.as<float>();
  args.n = dst.shape.elements();
  args.p = args.q = &p;
  eltwise_fns(op, cap).uniform(args);
}

// log sum e^(x - m) + m with m the largest term, or 0 where that is infinite.
void log_sum_exp(const Split& parts, const TensorView& src, const TensorView& dst, Isa cap,
                 int threads) {
  const EltwiseFn exp = eltwise_fns(EltwiseOp::exp, cap).uniform;
  const EltwiseFn log = eltwise_fns(EltwiseOp::log, cap).uniform;
  const std::int64_t step = parts.kept.step[0];
  for_results<float>(parts, src, dst, threads, [&](const float* from, std::int64_t count, float* out) {
    float most[kLanes];
    fold_lanes(parts.reduced, from, step, count, lowest<float>(),
               [](float a, float b) { return b > a || b != b ? b : a; }, most);
    for (std::int64_t c = 0; c < count; ++c) {
      const float middle = std::fabs(most[c]) < highest<float>() ? most[c] : 0.0f;
      out[c] = sum_run(parts.reduced, from + c * step, [&](float x) {
        EltwiseArgs args;
        float y = x - middle;
        args.src = args.dst = &y;
        args.n = 1;
        exp(args);
        return y;
      });
      EltwiseArgs args;
      args.src = args.dst = out + c;
      args.n = 1;
      log(args);
      out[c] += middle;
    }
  });
}

template <class T>
void reduce_as(ReduceOp op, const Split& parts, const TensorView& src, const TensorView& dst,
               int threads) {
  const auto magnitude = [](T x) { return x < 0 ? Wrapped<T>::sub(0, x) : x; };
  switch (op) {
    case ReduceOp::max:
      return folds<T>(parts, src, dst, threads, lowest<T>(),
                      [](T a, T b) { return b > a || b != b ? b : a; });
    case ReduceOp::min:
      return folds<T>(parts, src, dst, threads, highest<T>(),
                      [](T a, T b) { return b < a || b != b ? b : a; });
    case ReduceOp::prod:
      return folds<T>(parts, src, dst, threads, T{1},
                      Wrapped<T>::mul);
    case ReduceOp::l1: return sums<T>(parts, src, dst, threads, magnitude);
    case ReduceOp::sum_square:
    case ReduceOp::l2:
      return sums<T>(parts, src, dst, threads, [](T x) { return Wrapped<T>::mul(x, x); });
    default: return sums<T>(parts, src, dst, threads, [](T x) { return x; });
  }
}

}  // namespace

bool reduce_takes(ReduceOp op, DType dtype) {
  if (dtype == DType::f32 || op == ReduceOp::max || op == ReduceOp::min) return true;
  const bool sum = op == ReduceOp::sum || op == ReduceOp::prod || op == ReduceOp::l1 ||
                   op == ReduceOp::sum_square;
  return sum && (dtype == DType::i64 || dtype == DType::i32);
}

void reduce(ReduceOp op, const TensorView& src, unsigned axes, const TensorView& dst, Isa cap,
            int threads) {
  const FpEnvScope fp_env;
  const Split parts = split(src, axes, dst);
  if (op == ReduceOp::log_sum_exp) return log_sum_exp(parts, src, dst, cap, threads);
  with_type(src.dtype, [&](auto type) {
    reduce_as<decltype(type)>(op, parts, src, dst, threads);
  });
  if (op == ReduceOp::mean) apply(EltwiseOp::div, cap, static_cast<float>(parts.terms), dst);
  if (op == ReduceOp::l2) apply(EltwiseOp::sqrt, cap, 0.0f, dst);
  if (op == ReduceOp::log_sum) apply(EltwiseOp::log, cap, 0.0f, dst);
}

void arg_extreme(bool largest, bool last, const TensorView& src, int axis, const TensorView& dst,
                 int threads) {
  const Split parts = split(src, 1u << axis, dst);
  const std::int64_t size = src.shape[axis], stride = src.strides[axis];
  with_type(src.dtype, [&](auto type) {
    using T = decltype(type);
    const double cycles = 1.0 + static_cast<double>(size);
    for_rows(parts.kept, threads, cycles, [&](const std::int64_t* at, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i) {
        const T* from = src.as<const T>() + at[0] + i * parts.kept.step[0];
        std::int64_t found = 0;
        for (std::int64_t j = 1; j < size; ++j) {
          const T x = from[j * stride], best = from[found * stride];
          const bool same = x == best || (x != x && best != best);
          const bool better = (largest ? x > best : x < best) || (x != x && best == best);
          if (better || (last && same)) found = j;
        }
        dst.as<std::int64_t>()[at[1] + i * parts.kept.step[1]] = found;
      }
    });
  });
}

}  // namespace pyconv
