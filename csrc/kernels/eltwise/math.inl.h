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

struct Reduced {
  vf r, n;
  vi shifted;  // n in the low bits
};

// |x| < 2^20.
PYCONV_INLINE Reduced exp_reduce(vf x) {
  const vf shifted = fma(x, set1(kLog2e), set1(kRound));
  const vf n = sub(shifted, set1(kRound));
  return {fma(n, set1(-kLn2Lo), fma(n, set1(-kLn2Hi), x)), n, bits(shifted)};
}

// e^r - 1 for |r| <= ln2 / 2.
PYCONV_INLINE vf expm1_reduced(vf r) {
  vf p = set1(0.00138706609f);
  p = fma(p, r, set1(0.00836626161f));
  p = fma(p, r, set1(0.0416674353f));
  p = fma(p, r, set1(0.166665465f));
  p = fma(p, r, set1(0.49999997f));
  return fma(mul(r, r), p, r);
}

// x between lo and hi; NaN stays.
PYCONV_INLINE vf clamp(vf x, float lo, float hi) { return min(set1(hi), max(set1(lo), x)); }

// e^x = m * 2^n, m within [0.7, 1.42].
struct ScaledExp {
  vf m, n;
};
// |x| < 2^20; the exponent x + x_lo is e.g. a product with its rounding error, |x_lo| < 2^-10.
PYCONV_INLINE ScaledExp exp_scaled(vf x, vf x_lo) {
  const Reduced e = exp_reduce(x);
  return {add(set1(1.0f), expm1_reduced(add(e.r, x_lo))), e.n};
}
PYCONV_INLINE ScaledExp exp_scaled(vf x) {
  const Reduced e = exp_reduce(x);
  return {add(set1(1.0f), expm1_reduced(e.r)), e.n};
}

// e^x; 0 below -103.97, inf above 88.72, subnormals between.
PYCONV_INLINE vf exp(vf x) {
  const ScaledExp e = exp_scaled(clamp(x, -105.0f, 89.5f));
  return scale2(e.m, e.n);
}

// e^x - 1 for -20 <= x <= 0.
PYCONV_INLINE vf expm1_negative(vf x) {
  const Reduced e = exp_reduce(x);
  const vf power = from_bits(ishl<23>(iadd(e.shifted, iset1(127))));
  return fma(power, expm1_reduced(e.r), sub(power, set1(1.0f)));
}

// factor / (1 + e^-v), given t = e^-|v|: factor / (1 + t), times t where v is negative. The power of
// two of t comes last, so that results near the bottom round once.
PYCONV_INLINE vf times_logistic(vf factor, const ScaledExp& t, vm negative) {
  const vf denominator = add(set1(1.0f), scale2(t.m, t.n));
  const vf numerator = select(negative, mul(factor, t.m), factor);
  return scale2(div(numerator, denominator), select(negative, t.n, zero()));
}

// The normal distribution's tail times e^(a^2/2), for 0 <= a <= 14.5: erfcx(a / sqrt 2) / 2 as a
// quotient of polynomials with positive coefficients, to a relative 2^-26.2.
PYCONV_INLINE vf normal_tail_scaled(vf a) {
  vf p = set1(0.00408416707f);
  p = fma(p, a, set1(0.040436402f));
  p = fma(p, a, set1(0.182680726f));
  p = fma(p, a, set1(0.437592924f));
  p = fma(p, a, set1(0.5f));
  vf q = set1(0.0102373669f);
  q = fma(q, a, set1(0.101365574f));
  q = fma(q, a, set1(0.467998236f));
  q = fma(q, a, set1(1.20027494f));
  q = fma(q, a, set1(1.67307067f));
  q = fma(q, a, set1(1.0f));
  return div(p, q);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
