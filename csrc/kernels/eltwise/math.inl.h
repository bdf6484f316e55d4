// Elementary functions in the vocabulary of simd/vec.h: the same bits on every ISA. Included inside
// a target region after simd/<isa>.h. Coefficients are minimax fits with the coefficients rounded to
// float one after the other; `python -m benchmarks.minimax` finds them again.
//
// exp: x = n ln2 + r with |r| <= ln2 / 2 (Cody and Waite, "Software Manual for the Elementary
// Functions", 1980: ln2 in two parts, the first short enough for an exact n * ln2_hi), then
// e^r - 1 = r + r^2 P(r) to a relative 2^-26.1.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

constexpr float kLog2e = 1.44269504f;
constexpr float kLn2Hi = 0x1.62e4p-1f;   // 16 bits
constexpr float kLn2Lo = 0x1.7f7d1cp-20f;
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, to even
constexpr float kRound40 = kRound + 40.0f;

// a b. A multiplication with a subnormal operand or result holds up what stands behind it for some twenty
// cycles on Zen 4, a fused one does not.
PYCONV_INLINE vf product(vf a, vf b) { return fma(a, b, set1(-0.0f)); }

struct Reduced {
  vf r, n;
  vi shifted;  // n + round - kRound in the low bits
};

// |x| < 2^20.
PYCONV_INLINE Reduced exp_reduce(vf x, float round = kRound) {
  const vf shifted = fma(x, set1(kLog2e), set1(round));
  const vf n = sub(shifted, set1(round));
  return {fma(n, set1(-kLn2Lo), fma(n, set1(-kLn2Hi), x)), n, bits(shifted)};
}

// e^r - 1 for |r| <= ln2 / 2.
PYCONV_INLINE vf expm1_reduced(vf r) {
  vf p = set1(0.00138706609f);
  p = fma(p, r, set1(0.00836626161f));
  p = fma(p, r, set1(0.0416674353f));
  p = fma(p, r, set1(0.166665465f));
  p = fma(p, r, set1(0.49999997f));
  return fma(product(r, r), p, r);
}

// x between lo and hi; NaN stays.
PYCONV_INLINE vf clamp(vf x, float lo, float hi) { return min(set1(hi), max(set1(lo), x)); }

// e^x; 0 below -103.97, inf above 88.72, subnormals between.
PYCONV_INLINE vf exp(vf x) {
  const Reduced e = exp_reduce(clamp(x, -105.0f, 89.5f));
  return scale2(add(set1(1.0f), expm1_reduced(e.r)), e.n);
}

// (e^x - 1) 2^kScale for -20 <= x <= 0.
template <int kScale = 0>
PYCONV_INLINE vf expm1_negative(vf x) {
  const Reduced e = exp_reduce(x);
  const vf power = from_bits(ishl<23>(iadd(e.shifted, iset1(127 + kScale))));
  return fma(power, expm1_reduced(e.r), sub(power, set1(static_cast<float>(1 << kScale))));
}

// e^r = num / den for |r| <= ln2 / 2, to a relative 2^-32.1: (a + r b) / (a - r b), where r b / a is
// tanh(r / 2). For quotients that have a division anyway. num and den are within [82, 164] times
// `scale`, a power of two chosen so that their products with powers of two stay in range.
struct ExpQuotient {
  vf num, den;
};
PYCONV_INLINE ExpQuotient exp_quotient(vf r, float scale) {
  const vf square = product(r, r);
  const vf a = fma(square, set1(scale * 12.0138865f), set1(scale * 120.166763f));
  const vf rb = product(r, fma(square, set1(scale), set1(scale * 60.0833817f)));
  return {add(a, rb), sub(a, rb)};
}

// Likewise 2^r for |r| <= 1/2, to 2^-32; num and den are within [297, 421].
PYCONV_INLINE ExpQuotient exp2_quotient(vf r) {
  const vf square = product(r, r);
  const vf a = fma(square, set1(17.3322906f), set1(360.832458f));
  const vf rb = product(r, add(square, set1(125.055f)));
  return {add(a, rb), sub(a, rb)};
}

// x = 2^e (1 + f) with f within [sqrt(1/2) - 1, sqrt(2) - 1], for normal x; both exact.
struct LogReduced {
  vf e, f;
};
PYCONV_INLINE LogReduced log_reduce(vf x) {
  const vi e = isar<23>(isub(bits(x), iset1(0x3f3504f3)));
  return {to_float(e), sub(from_bits(isub(bits(x), ishl<23>(e))), set1(1.0f))};
}

// (log(1 + f) - f + f^2 / 2) / f^3, so that log(1 + f) is good to a relative 2^-27.3.
PYCONV_INLINE vf log1p_tail(vf f) {
  vf p = set1(-0.0763639957f);
  p = fma(p, f, set1(0.127621993f));
  p = fma(p, f, set1(-0.131596133f));
  p = fma(p, f, set1(0.142015815f));
  p = fma(p, f, set1(-0.166234091f));
  p = fma(p, f, set1(0.200012416f));
  p = fma(p, f, set1(-0.250008196f));
  return fma(p, f, set1(0.333333313f));
}

// log x for normal x > 0, inf and NaN.
PYCONV_INLINE vf log_positive(vf x) {
  const LogReduced t = log_reduce(x);
  const vf square = mul(t.f, t.f);
  vf low = fma(mul(square, t.f), log1p_tail(t.f), mul(square, set1(-0.5f)));
  low = fma(t.e, set1(kLn2Lo), low);
  const vf log = add(mul(t.e, set1(kLn2Hi)), add(t.f, low));
  return select(lt(x, set1(__builtin_inff())), log, x);
}

// log x; NaN below 0, -inf at 0.
PYCONV_INLINE vf log(vf x) {
  const vm small = lt(x, set1(0x1p-126f));
  const LogReduced t = log_reduce(select(small, product(x, set1(0x1p24f)), x));
  const vf e = sub(t.e, select(small, set1(24.0f), zero()));
  const vf square = mul(t.f, t.f);
  vf low = fma(mul(square, t.f), log1p_tail(t.f), mul(square, set1(-0.5f)));
  low = fma(e, set1(kLn2Lo), low);
  vf log = add(mul(e, set1(kLn2Hi)), add(t.f, low));
  log = select(lt(x, set1(__builtin_inff())), log, x);
  log = select(eq(x, zero()), set1(-__builtin_inff()), log);
  return select(lt(x, zero()), set1(__builtin_nanf("")), log);
}

// log(1 + t) for 0 <= t <= 1. Above sqrt(2) - 1 it is ln2 + log(1 + (t - 1) / 2).
PYCONV_INLINE vf log1p_unit(vf t) {
  const vm upper = gt(t, set1(0.41421356f));
  const vf f = select(upper, mul(sub(t, set1(1.0f)), set1(0.5f)), t);
  const vf square = mul(f, f);
  const vf low = fma(mul(square, f), log1p_tail(f), mul(square, set1(-0.5f)));
  const vf log = add(f, low);
  return select(upper, add(set1(kLn2Hi), add(f, add(low, set1(kLn2Lo)))), log);
}

// x^y for 0 < x < inf: exp(y log x), the logarithm in two parts, so that an error of 2^-30 and not
// one of 2^-24 is magnified by y log x. Overflows to inf, underflows through the subnormals to 0.
PYCONV_INLINE vf pow_positive(vf x, vf y) {
  const vm small = lt(x, set1(0x1p-126f));
  const LogReduced t = log_reduce(select(small, product(x, set1(0x1p24f)), x));
  const vf e = sub(t.e, select(small, set1(24.0f), zero()));
  const vf square = mul(t.f, t.f), half = mul(square, set1(0.5f));
  const vf half_lo = mul(fma(t.f, t.f, neg(square)), set1(0.5f));
  // e ln2_hi is exact; each sum's error is exact too, the larger term standing first.
  const vf whole = mul(e, set1(kLn2Hi)), first = add(whole, t.f), second = sub(first, half);
  const vf errors = add(sub(t.f, sub(first, whole)), sub(sub(first, second), half));
  const vf tail = fma(mul(square, t.f), log1p_tail(t.f), fma(e, set1(kLn2Lo), sub(errors, half_lo)));
  const vf log = add(second, tail), log_lo = sub(tail, sub(log, second));
  const vf product = mul(y, log), rest = fma(y, log_lo, fma(y, log, neg(product)));
  const vf product_lo = select(lt(abs(product), set1(128.0f)), rest, zero());
  const Reduced r = exp_reduce(clamp(product, -105.0f, 89.5f));
  return scale2(add(set1(1.0f), expm1_reduced(add(r.r, product_lo))), r.n);
}

// x^y with the exceptions of IEEE 754's pow.
PYCONV_INLINE vf pow(vf x, vf y) {
  const vf a = abs(x), one = set1(1.0f), inf = set1(__builtin_inff());
  const vm zero_base = eq(a, zero()), inf_base = eq(a, inf), negative_y = lt(y, zero());
  const vm rising = mask_or(mask_and(zero_base, negative_y), mask_and(inf_base, gt(y, zero())));
  vf power = pow_positive(a, y);
  power = select(mask_or(zero_base, inf_base), select(rising, inf, zero()), power);
  const vf half = mul(y, set1(0.5f));
  const vm whole = eq(round_even(y), y);
  const vm odd = mask_and(whole, mask_not(eq(round_even(half), half)));
  const vi sign = and_(bits(x), iset1(static_cast<int>(0x80000000u)));
  power = select(odd, from_bits(or_(bits(power), sign)), power);
  const vm no_root = mask_and(mask_and(lt(x, zero()), mask_not(whole)), lt(a, inf));
  power = select(no_root, set1(__builtin_nanf("")), power);
  power = select(eq(a, one), select(mask_and(lt(x, zero()), odd), set1(-1.0f), one), power);
  power = select(mask_and(mask_and(eq(a, one), lt(x, zero())), mask_not(whole)),
                 set1(__builtin_nanf("")), power);
  power = select(unord(x, y), add(x, y), power);
  return select(mask_or(eq(x, one), eq(y, zero())), one, power);
}

// v * 2^n, v and the product normal; n stands in the low bits of `shifted`.
PYCONV_INLINE vf times_power(vf v, vi shifted) {
  return from_bits(iadd(bits(v), ishl<23>(shifted)));
}

// The normal distribution's tail times 2^(c a^2), c = kHalfLog2e, is kNormalTail num / den for
// 0 <= a <= 14.5: polynomials with positive coefficients and leading coefficient 1, relative error
// 2^-25.9 (1 + a^2 / 4).
constexpr float kHalfLog2e = 0.72134752f, kNormalTail = 0.398948073f;
PYCONV_INLINE ExpQuotient normal_tail_quotient(vf a) {
  vf p = add(a, set1(10.26789f));
  p = fma(p, a, set1(47.5901909f));
  p = fma(p, a, set1(116.394485f));
  p = fma(p, a, set1(136.448807f));
  vf q = add(a, set1(10.2690105f));
  q = fma(q, a, set1(48.5686417f));
  q = fma(q, a, set1(126.946045f));
  q = fma(q, a, set1(179.737991f));
  q = fma(q, a, set1(108.871979f));
  return {p, q};
}

// x (c + x^2 P(x^2)) for |x| <= 1, to a relative 2^-29; beyond, 1 less twice the normal tail at
// |x| sqrt(2).
PYCONV_INLINE vf erf(vf x) {
  const vf a = min(set1(4.0f), abs(x)), square = product(a, a);
  vf p = set1(7.8425488e-05f);
  p = fma(p, square, set1(-0.000800939859f));
  p = fma(p, square, set1(0.0051885983f));
  p = fma(p, square, set1(-0.0268542022f));
  p = fma(p, square, set1(0.112836033f));
  p = fma(p, square, set1(-0.376126289f));
  p = fma(p, square, set1(-5.86353828e-08f));
  const vf near = fma(a, set1(1.12837923f), product(a, p));
  const ExpQuotient tail = normal_tail_quotient(product(a, set1(1.41421356f)));
  const vf far = div(mul(tail.num, exp(neg(square))), tail.den);
  const vf magnitude = select(gt(a, set1(1.0f)), fma(far, set1(-2.0f * kNormalTail), set1(1.0f)), near);
  return from_bits(or_(bits(magnitude), and_(bits(x), iset1(static_cast<int>(0x80000000u)))));
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
