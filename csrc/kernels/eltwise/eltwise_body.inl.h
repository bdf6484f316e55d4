// Generic body of the elementwise kernels; contract in eltwise.h. Included inside a target region
// after simd/<isa>.h and math.inl.h. A functor maps a vector of x (and of p and q) to a vector of y;
// kUnroll vectors are in flight at once where memory is the bound.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

struct Relu {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf, vf) { return max(zero(), x); }
};

struct Relu6 {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf, vf) { return clamp(x, 0.0f, 6.0f); }
};

struct LeakyRelu {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf p, vf) { return select(lt(x, zero()), mul(x, p), x); }
};

// For accuracy "fast": 1 + e^-x for |x| <= 87, to a relative 2^-21. Where a table of 32 floats is one
// instruction, e^-x = 2^(n/32) e^-r with |r| <= ln2/64, and e^-r - 1 = r (c1 r - c0) to 2^-24.
#if defined(PYCONV_LOOKUP32)
alignas(64) const float kRootsOf2[32] = {
    0x1p+0f, 0x1.059b0ep+0f, 0x1.0b5586p+0f, 0x1.11301ep+0f, 0x1.172b84p+0f, 0x1.1d4874p+0f,
    0x1.2387a6p+0f, 0x1.29e9e0p+0f, 0x1.306fe0p+0f, 0x1.371a74p+0f, 0x1.3dea64p+0f, 0x1.44e086p+0f,
    0x1.4bfdaep+0f, 0x1.5342b6p+0f, 0x1.5ab07ep+0f, 0x1.6247ecp+0f, 0x1.6a09e6p+0f, 0x1.71f75ep+0f,
    0x1.7a1148p+0f, 0x1.82589ap+0f, 0x1.8ace54p+0f, 0x1.93737cp+0f, 0x1.9c4918p+0f, 0x1.a5503cp+0f,
    0x1.ae89fap+0f, 0x1.b7f770p+0f, 0x1.c199bep+0f, 0x1.cb720ep+0f, 0x1.d5818ep+0f, 0x1.dfc974p+0f,
    0x1.ea4afap+0f, 0x1.f50766p+0f};

PYCONV_INLINE vf one_plus_exp_neg(vf x) {
  const vf shifted = fma(x, set1(-0x1.715476p+5f), set1(kRound));
  const vf r = fma(sub(shifted, set1(kRound)), set1(0x1.62e43p-6f), x);
  const vf root = lookup32(kRootsOf2, bits(shifted));
  const vf power = fma(root, product(r, fma(r, set1(0x1.000096p-1f), set1(-0x1.0000f6p+0f))), root);
  const vi exponent = and_(ishl<18>(bits(shifted)), iset1(static_cast<int>(0xff800000u)));
  return add(set1(1.0f), from_bits(iadd(bits(power), exponent)));
}
#else
PYCONV_INLINE vf one_plus_exp_neg(vf x) {
  const vf shifted = fma(x, set1(-kLog2e), set1(kRound));
  const vf r = fma(sub(shifted, set1(kRound)), set1(-0.693147182f), neg(x));
  const vf t = times_power(add(set1(1.0f), expm1_reduced(r)), bits(shifted));
  return add(set1(1.0f), t);
}
#endif

struct SigmoidFast {
  static constexpr int kUnroll = 2;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf v = clamp(x, -87.0f, 87.0f);
    return div(fma(v, zero(), set1(1.0f)), one_plus_exp_neg(v));  // a NaN in the numerator stays one
  }
};

struct SiluFast {
  static constexpr int kUnroll = 2;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf v = max(set1(-87.0f), x);
    return product(v, div(set1(1.0f), one_plus_exp_neg(min(set1(87.0f), v))));
  }
};

// x P(x^2) / Q(x^2), P and Q of degree 4, to a relative 2^-25.4; 1 from 8.9 on.
struct TanhFast {
  static constexpr int kUnroll = 2;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf v = clamp(x, -8.9f, 8.9f), square = product(v, v);
    vf p = fma(square, set1(1.34237181e-08f), set1(2.06628138e-05f));
    p = fma(p, square, set1(0.00349902664f));
    p = fma(p, square, set1(0.133839831f));
    p = fma(p, square, set1(1.0f));
    vf q = fma(square, set1(7.80596793e-07f), set1(0.000329113478f));
    q = fma(q, square, set1(0.0258902516f));
    q = fma(q, square, set1(0.46717304f));
    q = fma(q, square, set1(1.0f));
    return clamp(product(v, div(p, q)), -1.0f, 1.0f);
  }
};

struct Elu {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf p, vf) {
    const vf negative = expm1_negative(clamp(x, -20.0f, 0.0f));
    return select(lt(x, zero()), product(p, negative), x);
  }
};

// num / (num + 2^n den), where num / den = e^r and x = r - n ln2 within the clamp: below -105 the
// result is 0, above 40 it is 1.
struct Sigmoid {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf v = clamp(x, -105.0f, 40.0f);
    const vf shifted = fma(v, set1(-kLog2e), set1(kRound));
    const vf n = sub(shifted, set1(kRound));
    const vf r = fma(n, set1(kLn2Lo), fma(n, set1(kLn2Hi), v));
    const ExpQuotient e = exp_quotient(r, 0x1p-32f);
    return div(e.num, add(e.num, times_power(e.den, bits(shifted))));
  }
};

// max(x, -0) - a / (1 + e^a) with a = |x|: x sigmoid(x) without a select, and down to the smallest
// subnormal.
struct Silu {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf a = min(set1(112.0f), abs(x));
    const Reduced e = exp_reduce(neg(a), kRound40);
    return less_tail(x, a, e.r, e.shifted);
  }
  // max(x, -0) - a t / (1 + t), t = 2^n e^r; n + 40 stands in the low bits of `shifted`, and all of the
  // quotient is normal for it.
  static PYCONV_INLINE vf less_tail(vf x, vf a, vf r, vi shifted) {
    const ExpQuotient e = exp_quotient(r, 0x1p40f);
    const vf t = times_power(e.num, shifted);
    const vf tail = div(product(a, t), fma(t, set1(0x1p-40f), e.den));
    return fma(tail, set1(-0x1p-40f), max(set1(-0.0f), x));
  }
};

// Markstein: a quotient by the rounded reciprocal, corrected by its remainder, is rounded once.
struct HardSigmoid {
  static constexpr int kUnroll = 2;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf y = clamp(add(x, set1(3.0f)), 0.0f, 6.0f), sixth = set1(1.0f / 6.0f);
    const vf quotient = mul(y, sixth);
    return fma(fma(quotient, set1(-6.0f), y), sixth, quotient);
  }
};

struct HardSwish {
  static constexpr int kUnroll = 2;
  static PYCONV_INLINE vf apply(vf x, vf p, vf q) {
    return product(max(set1(-3.0f), x), HardSigmoid::apply(x, p, q));
  }
};

struct Tanh {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf a = min(set1(10.0f), abs(x));
    const vf e = expm1_negative<24>(product(a, set1(-2.0f)));
    const vf quotient = div(e, fma(e, set1(0x1p-24f), set1(2.0f)));
    const vi sign = and_(bits(x), iset1(static_cast<int>(0x80000000u)));
    return from_bits(or_(bits(abs(product(quotient, set1(0x1p-24f)))), sign));
  }
};

// max(x, -0) - a Phi(-a) with a = |x|, and Phi(-a) as 2^(-c a^2) times a slow function; 2^40 keeps
// the numerator normal, so that the last operation alone rounds to a subnormal.
struct Gelu {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf a = min(set1(14.5f), abs(x)), square = product(a, a);
    const vf shifted = fma(square, set1(-kHalfLog2e), set1(kRound40));
    const vf r = fma(square, set1(-kHalfLog2e), sub(set1(kRound40), shifted));
    const ExpQuotient e = exp2_quotient(r), tail = normal_tail_quotient(a);
    const vf num = product(product(a, tail.num), times_power(e.num, bits(shifted)));
    const vf scaled = div(num, mul(tail.den, e.den));
    return fma(scaled, set1(-0x1p-40f * kNormalTail), max(set1(-0.0f), x));
  }
};

// As silu with 2u = a (c0 + c1 a^2) for the exponent, which is taken in two parts, else its rounding
// would be magnified by the exponential. c0_hi has 21 bits, which makes c0_hi - sum exact.
struct GeluTanh {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    constexpr float c0_hi = 0x1.98845p+0f, c0_lo = 0x1.9ea1b2p-23f;
    constexpr float c1_hi = 0x1.2444f2p-4f, c1_lo = 0x1.49b09p-29f;
    const vf a = min(set1(11.0f), abs(x)), square = product(a, a);
    const vf square_lo = fma(a, a, neg(square));
    const vf sum = fma(square, set1(c1_hi), set1(c0_hi));
    vf sum_lo = fma(square, set1(c1_hi), sub(set1(c0_hi), sum));
    sum_lo = add(sum_lo, fma(square, set1(c1_lo), set1(c0_lo)));
    sum_lo = fma(square_lo, set1(c1_hi), sum_lo);
    const vf v = product(a, sum), v_lo = fma(a, sum_lo, fma(a, sum, neg(v)));
    const Reduced e = exp_reduce(neg(v), kRound40);
    return Silu::less_tail(x, a, sub(e.r, v_lo), e.shifted);
  }
};

struct Exp {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) { return exp(x); }
};

struct Add {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf p, vf) { return add(x, p); }
};

struct Mul {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf p, vf) { return mul(x, p); }
};

struct Affine {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf p, vf q) { return fma(x, p, q); }
};

// One operation of the vocabulary, or a few.
#define PYCONV_ELTWISE_FUNCTOR(Name, unroll, ...)                                       \
  struct Name {                                                                         \
    static constexpr int kUnroll = unroll;                                              \
    static PYCONV_INLINE vf apply(vf x, [[maybe_unused]] vf p, [[maybe_unused]] vf q) { \
      __VA_ARGS__                                                                       \
    }                                                                                   \
  };
PYCONV_ELTWISE_FUNCTOR(Sub, 4, return sub(x, p);)
PYCONV_ELTWISE_FUNCTOR(Div, 4, return div(x, p);)
PYCONV_ELTWISE_FUNCTOR(Minimum, 4, return select(unord(x, x), x, min(x, p));)
PYCONV_ELTWISE_FUNCTOR(Maximum, 4, return select(unord(x, x), x, max(x, p));)
PYCONV_ELTWISE_FUNCTOR(Pow, 1, return pow(x, p);)
PYCONV_ELTWISE_FUNCTOR(Clip, 4, return min(q, max(p, x));)
PYCONV_ELTWISE_FUNCTOR(Abs, 4, return abs(x);)
PYCONV_ELTWISE_FUNCTOR(Neg, 4, return neg(x);)
PYCONV_ELTWISE_FUNCTOR(Round, 4, return round_even(x);)
PYCONV_ELTWISE_FUNCTOR(Reciprocal, 4, return div(set1(1.0f), x);)
PYCONV_ELTWISE_FUNCTOR(Log, 1, return log(x);)
PYCONV_ELTWISE_FUNCTOR(Erf, 1, return erf(x);)
PYCONV_ELTWISE_FUNCTOR(ThresholdedRelu, 4, return select(le(x, p), zero(), x);)
PYCONV_ELTWISE_FUNCTOR(AffineRelu, 4, return max(zero(), fma(x, p, q));)
PYCONV_ELTWISE_FUNCTOR(AffineUnit, 4, return clamp(fma(x, p, q), 0.0f, 1.0f);)
#undef PYCONV_ELTWISE_FUNCTOR

// A subnormal's root is that of 2^24 times it, exactly scaled back.
struct Sqrt {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vm small = lt(x, set1(0x1p-126f));
    const vf root = sqrt(select(small, product(x, set1(0x1p24f)), x));
    return select(small, mul(root, set1(0x1p-12f)), root);
  }
};

struct Softsign {
  static constexpr int kUnroll = 2;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vm tiny = lt(abs(x), set1(0x1p-60f));  // the division is left without subnormals
    const vf v = select(tiny, zero(), x);
    return select(tiny, x, div(v, add(set1(1.0f), abs(v))));
  }
};

struct Sign {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    return select(lt(x, zero()), set1(-1.0f), select(gt(x, zero()), set1(1.0f), x));
  }
};

// The nearest integral value, or the one below where that lies above x. It keeps the sign of -0.
struct Floor {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf near = round_even(x);
    return select(gt(near, x), sub(near, set1(1.0f)), near);
  }
};

struct Ceil {
  static constexpr int kUnroll = 4;
  static PYCONV_INLINE vf apply(vf x, vf p, vf q) { return neg(Floor::apply(neg(x), p, q)); }
};

// max(x, 0) + log(1 + e^-|x|).
struct Softplus {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    return add(max(zero(), x), log1p_unit(exp(neg(abs(x)))));
  }
};

// tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2). Below -50 it is e^x, multiplied by x before the
// power of two may underflow.
struct Mish {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf, vf) {
    const vf e = exp(clamp(x, -60.0f, 40.0f)), n = mul(e, add(e, set1(2.0f)));
    const vf v = clamp(x, -115.0f, 0.0f);
    const Reduced r = exp_reduce(v);
    const vf deep = scale2(product(v, add(set1(1.0f), expm1_reduced(r.r))), r.n);
    return select(lt(x, set1(-50.0f)), deep, product(x, div(n, add(n, set1(2.0f)))));
  }
};

struct Selu {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf p, vf q) {
    return select(lt(x, zero()), product(p, expm1_negative(clamp(x, -20.0f, 0.0f))), product(q, x));
  }
};

struct Celu {
  static constexpr int kUnroll = 1;
  static PYCONV_INLINE vf apply(vf x, vf p, vf) {
    const vf quotient = div(min(zero(), x), p);
    return select(lt(x, zero()), product(p, expm1_negative(clamp(quotient, -20.0f, 0.0f))), x);
  }
};

// Parameters as the loop over a row sees them; what a function does not use is never loaded.
template <bool kUsesQ>
struct UniformParams {
  vf p, q;
  PYCONV_INLINE UniformParams(const EltwiseArgs& args, std::int64_t row)
      : p(broadcast(args.p + row)), q(kUsesQ ? broadcast(args.q + row) : zero()) {}
  PYCONV_INLINE vf p_at(std::int64_t) const { return p; }
  PYCONV_INLINE vf q_at(std::int64_t) const { return q; }
  PYCONV_INLINE vf p_tail(std::int64_t, vm) const { return p; }
  PYCONV_INLINE vf q_tail(std::int64_t, vm) const { return q; }
};
template <bool kUsesQ>
struct ElementParams {
  const float *p, *q;
  PYCONV_INLINE ElementParams(const EltwiseArgs& args, std::int64_t) : p(args.p), q(args.q) {}
  PYCONV_INLINE vf p_at(std::int64_t i) const { return load(p + i); }
  PYCONV_INLINE vf q_at(std::int64_t i) const { return kUsesQ ? load(q + i) : zero(); }
  PYCONV_INLINE vf p_tail(std::int64_t i, vm m) const { return load_tail(p + i, m); }
  PYCONV_INLINE vf q_tail(std::int64_t i, vm m) const {
    return kUsesQ ? load_tail(q + i, m) : zero();
  }
};
struct NoParams {
  PYCONV_INLINE NoParams(const EltwiseArgs&, std::int64_t) {}
  PYCONV_INLINE vf p_at(std::int64_t) const { return zero(); }
  PYCONV_INLINE vf q_at(std::int64_t) const { return zero(); }
  PYCONV_INLINE vf p_tail(std::int64_t, vm) const { return zero(); }
  PYCONV_INLINE vf q_tail(std::int64_t, vm) const { return zero(); }
};

template <class F, class Params>
PYCONV_INLINE void eltwise_part(const float* src, float* dst, const Params& params, std::int64_t i,
                                std::int64_t count) {
  const vm m = mask_first(static_cast<int>(count));
  const vf x = load_tail(src + i, m);
  store_tail(dst + i, F::apply(x, params.p_tail(i, m), params.q_tail(i, m)), m);
}

// Floats up to the next vector boundary of dst.
PYCONV_INLINE std::int64_t to_boundary(const float* dst) {
  return static_cast<std::int64_t>(-reinterpret_cast<std::uintptr_t>(dst) / sizeof(float) % VL);
}

// Long rows start with a part vector, so that no store after it crosses a cache line.
template <class F, class Params>
PYCONV_INLINE void eltwise_row(const float* src, float* dst, std::int64_t n, const Params& params) {
  constexpr int U = F::kUnroll;
  std::int64_t i = 0;
  if (n >= 4 * U * VL) {
    i = to_boundary(dst);
    if (i > 0) eltwise_part<F>(src, dst, params, 0, i);
  }
  for (; i + U * VL <= n; i += U * VL) {
    vf y[U];
#pragma GCC unroll 4
    for (int u = 0; u < U; ++u) {
      const std::int64_t at = i + u * VL;
      y[u] = F::apply(load(src + at), params.p_at(at), params.q_at(at));
    }
#pragma GCC unroll 4
    for (int u = 0; u < U; ++u) store(dst + i + u * VL, y[u]);
  }
  for (; i + VL <= n; i += VL)
    store(dst + i, F::apply(load(src + i), params.p_at(i), params.q_at(i)));
  if (i < n) eltwise_part<F>(src, dst, params, i, n - i);
}

template <class F, class Params>
void eltwise(const EltwiseArgs& args) {
  const float* src = args.src;
  float* dst = args.dst;
  for (std::int64_t row = 0; row < args.rows; ++row, src += args.n, dst += args.n)
    eltwise_row<F>(src, dst, args.n, Params(args, row));
}

#define PYCONV_ELTWISE_plain(F) {eltwise<F, NoParams>, nullptr},
#define PYCONV_ELTWISE_p(F) {eltwise<F, UniformParams<false>>, eltwise<F, ElementParams<false>>},
#define PYCONV_ELTWISE_pq(F) {eltwise<F, UniformParams<true>>, eltwise<F, ElementParams<true>>},
#define PYCONV_ELTWISE_KERNEL(op, functor, parameters) PYCONV_ELTWISE_##parameters(functor)

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
