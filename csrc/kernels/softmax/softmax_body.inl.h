// Generic body of the softmax kernels; contract in softmax.h. Included inside a target region after
// simd/<isa>.h and kernels/eltwise/math.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

constexpr int kSums = 16;

// 2^40 e^d for d <= 0; d below -105 counts as -105, whose exponential vanishes in every result.
PYCONV_INLINE vf exp_times_2_40(vf d) {
  constexpr float round = kRound + 127.0f + 40.0f;
  const vf x = max(set1(-105.0f), d);
  const vf shifted = fma(x, set1(kLog2e), set1(round));
  const vf n = sub(shifted, set1(round));
  const vf r = fma(n, set1(-kLn2Lo), fma(n, set1(-kLn2Hi), x));
  return mul(add(set1(1.0f), expm1_reduced(r)), from_bits(ishl<23>(bits(shifted))));
}

// log of a sum that is times 2^40.
PYCONV_INLINE vf log_of_sum(vf sum) { return log_positive(mul(sum, set1(0x1p-40f))); }

PYCONV_INLINE float tree_sum(float (&sums)[kSums]) {
#pragma GCC unroll 4
  for (int step = kSums / 2; step > 0; step /= 2)
#pragma GCC unroll 8
    for (int j = 0; j < step; ++j) sums[j] += sums[j + step];
  return sums[0];
}

float row_max(const float* src, std::int64_t n) {
  vf m0 = set1(-__builtin_inff()), m1 = m0;
  std::int64_t i = 0;
  for (; i + 2 * VL <= n; i += 2 * VL) {
    m0 = max(load(src + i), m0);
    m1 = max(load(src + i + VL), m1);
  }
  m0 = max(m1, m0);
  for (; i < n; i += VL) {
    const vm tail = mask_first(static_cast<int>(n - i < VL ? n - i : VL));
    m0 = max(select(tail, load_tail(src + i, tail), m0), m0);
  }
  float lanes[VL];
  store(lanes, m0);
  float most = lanes[0];
  for (int j = 1; j < VL; ++j) most = lanes[j] > most ? lanes[j] : most;
  return most;
}

// The sum of exponentials, which also go to dst where kStore.
template <bool kStore>
float row_exp_sum(const float* src, float* dst, std::int64_t n, float most) {
  constexpr int kVectors = kSums / VL;
  const vf m = set1(most);
  vf sums[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) sums[v] = zero();
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const vf e = exp_times_2_40(sub(load(src + i + v * VL), m));
      if (kStore) store(dst + i + v * VL, e);
      sums[v] = add(sums[v], e);
    }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t left = n - i - v * VL;
    if (left <= 0) break;
    const vm tail = mask_first(static_cast<int>(left < VL ? left : VL));
    const vf e = exp_times_2_40(sub(load_tail(src + i + v * VL, tail), m));
    if (kStore) store_tail(dst + i + v * VL, e, tail);
    sums[v] = add(sums[v], select(tail, e, zero()));
  }
  float lanes[kSums];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) store(lanes + v * VL, sums[v]);
  return tree_sum(lanes);
}

void row_scale(float* dst, std::int64_t n, float factor) {
  const vf f = set1(factor);
  std::int64_t i = 0;
  for (; i + VL <= n; i += VL) store(dst + i, mul(load(dst + i), f));
  const vm tail = mask_first(static_cast<int>(n - i));
  store_tail(dst + i, mul(load_tail(dst + i, tail), f), tail);
}

void row_shift(const float* src, float* dst, std::int64_t n, float most, float log_sum) {
  const vf m = set1(most), l = set1(log_sum);
  std::int64_t i = 0;
  for (; i + VL <= n; i += VL) store(dst + i, sub(sub(load(src + i), m), l));
  const vm tail = mask_first(static_cast<int>(n - i));
  store_tail(dst + i, sub(sub(load_tail(src + i, tail), m), l), tail);
}

PYCONV_INLINE float first_lane(vf v) {
  float lanes[VL];
  store(lanes, v);
  return lanes[0];
}

void softmax_rows(const SoftmaxArgs& args) {
  for (std::int64_t row = 0; row < args.rows; ++row) {
    const float* src = args.src + row * args.length;
    float* dst = args.dst + row * args.length;
    const float most = row_max(src, args.length);
    if (args.log) {
      const float sum = row_exp_sum<false>(src, dst, args.length, most);
      row_shift(src, dst, args.length, most, first_lane(log_of_sum(set1(sum))));
    } else {
      row_scale(dst, args.length, 1.0f / row_exp_sum<true>(src, dst, args.length, most));
    }
  }
}

// One vector of columns: masked-off lanes are computed on zeros and never stored.
struct Column {
  const SoftmaxArgs& args;
  int first;
  vm m;
  PYCONV_INLINE vf src(std::int64_t i) const {
    return load_tail(args.src + i * args.stride + first, m);
  }
  PYCONV_INLINE vf dst(std::int64_t i) const {
    return load_tail(args.dst + i * args.stride + first, m);
  }
  PYCONV_INLINE void put(std::int64_t i, vf v) const {
    store_tail(args.dst + i * args.stride + first, v, m);
  }
};

void column_vector(const Column& at, std::int64_t n, bool log) {
  vf most = set1(-__builtin_inff());
  for (std::int64_t i = 0; i < n; ++i) most = max(at.src(i), most);
  vf sums[kSums];
  for (int j = 0; j < kSums; ++j) sums[j] = zero();
  for (std::int64_t i = 0; i < n; ++i) {
    const vf e = exp_times_2_40(sub(at.src(i), most));
    if (!log) at.put(i, e);
    sums[i % kSums] = add(sums[i % kSums], e);
  }
  for (int step = kSums / 2; step > 0; step /= 2)
    for (int j = 0; j < step; ++j) sums[j] = add(sums[j], sums[j + step]);
  if (log) {
    const vf log_sum = log_of_sum(sums[0]);
    for (std::int64_t i = 0; i < n; ++i) at.put(i, sub(sub(at.src(i), most), log_sum));
    return;
  }
  const vf factor = div(set1(1.0f), sums[0]);
  for (std::int64_t i = 0; i < n; ++i) at.put(i, mul(at.dst(i), factor));
}

void softmax_columns(const SoftmaxArgs& args) {
  for (int c = 0; c < args.columns; c += VL) {
    const int left = args.columns - c;
    column_vector({args, c, mask_first(left < VL ? left : VL)}, args.length, args.log);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
