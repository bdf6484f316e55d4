// Generic body of the lrn kernels; contract in lrn.h. Included inside a target region after
// simd/<isa>.h and kernels/eltwise/math.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

struct LrnConstants {
  vf scale, k, minus_beta, at_zero, at_infinity;
  explicit PYCONV_INLINE LrnConstants(const LrnArgs& args)
      : scale(set1(args.scale)), k(set1(args.k)), minus_beta(set1(-args.beta)),
        at_zero(set1(args.beta > 0 ? __builtin_inff() : 0.0f)),
        at_infinity(set1(args.beta > 0 ? 0.0f : __builtin_inff())) {}
};

PYCONV_INLINE vf lrn_scale(vf sum, const LrnConstants& c) {
  const vf d = fma(sum, c.scale, c.k);
  const vf power = pow_positive(d, c.minus_beta);
  const vf special = select(eq(d, zero()), c.at_zero, select(gt(d, zero()), c.at_infinity, sqrt(d)));
  return select(mask_and(gt(d, zero()), lt(d, set1(__builtin_inff()))), power, special);
}

// x d^-beta, d = k + scale * sum.
struct AnyPower {
  LrnConstants c;
  explicit PYCONV_INLINE AnyPower(const LrnArgs& args) : c(args) {}
  PYCONV_INLINE vf operator()(vf x, vf sum) const { return mul(x, lrn_scale(sum, c)); }
};
template <bool kThreeQuarters>
struct RootPower {
  vf scale, k;
  explicit PYCONV_INLINE RootPower(const LrnArgs& args) : scale(set1(args.scale)), k(set1(args.k)) {}
  PYCONV_INLINE vf operator()(vf x, vf sum) const {
    const vf root = sqrt(fma(sum, scale, k));
    return div(x, kThreeQuarters ? mul(root, sqrt(root)) : root);
  }
};

template <class Power>
PYCONV_INLINE void lrn_elements(const LrnArgs& args) {
  const Power power(args);
  std::int64_t i = 0;
  for (; i + VL <= args.n; i += VL) {
    vf sum = zero();
    for (std::int64_t j = 0; j < args.count; ++j) {
      const vf x = load(args.window + j * args.stride + i);
      sum = fma(x, x, sum);
    }
    store(args.dst + i, power(load(args.src + i), sum));
  }
  if (i == args.n) return;
  const vm tail = mask_first(static_cast<int>(args.n - i));
  vf sum = zero();
  for (std::int64_t j = 0; j < args.count; ++j) {
    const vf x = load_tail(args.window + j * args.stride + i, tail);
    sum = fma(x, x, sum);
  }
  store_tail(args.dst + i, power(load_tail(args.src + i, tail), sum), tail);
}

void lrn(const LrnArgs& description) {
  const LrnArgs args = description;  // a copy that no store can be thought to change
  if (args.beta == 0.75f) return lrn_elements<RootPower<true>>(args);
  if (args.beta == 0.5f) return lrn_elements<RootPower<false>>(args);
  lrn_elements<AnyPower>(args);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
