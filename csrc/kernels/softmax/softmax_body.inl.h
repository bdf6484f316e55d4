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

struct Wrapped {
  std::int32_t lane[2 * VL];
  constexpr Wrapped() : lane() {
    for (int j = 0; j < 2 * VL; ++j) lane[j] = j % VL;
  }
};
constexpr Wrapped kWrapped;

// Lane j takes lane j + step, around the end.
PYCONV_INLINE vf rotate(vf v, int step) { return permute(v, iload(kWrapped.lane + step)); }

// The tree over 16 partial sums in V vectors; all lanes of the result are equal.
template <int V>
PYCONV_INLINE vf tree_sum(vf (&sums)[V]) {
#pragma GCC unroll 2
  for (int half = V / 2; half > 0; half /= 2)
#pragma GCC unroll 2
    for (int v = 0; v < half; ++v) sums[v] = add(sums[v], sums[v + half]);
  vf sum = sums[0];
#pragma GCC unroll 4
  for (int step = VL / 2; step > 0; step /= 2) sum = add(sum, rotate(sum, step));
  return sum;
}

// All lanes are the maximum of n floats, NaN left out.
PYCONV_INLINE vf row_max(const float* src, std::int64_t n) {
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
#pragma GCC unroll 4
  for (int step = VL / 2; step > 0; step /= 2) m0 = max(rotate(m0, step), m0);
  return m0;
}

// The sum of exponentials, which also go to dst where kStore.
template <bool kStore>
PYCONV_INLINE vf row_exp_sum(const float* src, float* dst, std::int64_t n, vf m) {
  constexpr int kVectors = kSums / VL;
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
  return tree_sum(sums);
}

PYCONV_INLINE void row_scale(float* dst, std::int64_t n, vf factor) {
  std::int64_t i = 0;
  for (; i + VL <= n; i += VL) store(dst + i, mul(load(dst + i), factor));
  if (i == n) return;
  const vm tail = mask_first(static_cast<int>(n - i));
  store_tail(dst + i, mul(load_tail(dst + i, tail), factor), tail);
}

PYCONV_INLINE void row_shift(const float* src, float* dst, std::int64_t n, vf most, vf log_sum) {
  std::int64_t i = 0;
  for (; i + VL <= n; i += VL) store(dst + i, sub(sub(load(src + i), most), log_sum));
  if (i == n) return;
  const vm tail = mask_first(static_cast<int>(n - i));
  store_tail(dst + i, sub(sub(load_tail(src + i, tail), most), log_sum), tail);
}

// The logarithms of 16 rows are taken at once.
void log_softmax_rows(const SoftmaxArgs& args, std::int64_t first, std::int64_t rows) {
  const std::int64_t n = args.length;
  const vm one = mask_first(1);
  float most[kSums], sums[kSums];
  for (int j = 0; j < kSums; ++j) most[j] = sums[j] = 0x1p40f;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* src = args.src + (first + r) * n;
    const vf m = row_max(src, n);
    store_tail(most + r, m, one);
    store_tail(sums + r, row_exp_sum<false>(src, nullptr, n, m), one);
  }
  for (int j = 0; j < kSums; j += VL) store(sums + j, log_of_sum(load(sums + j)));
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t at = (first + r) * n;
    row_shift(args.src + at, args.dst + at, n, set1(most[r]), set1(sums[r]));
  }
}

void softmax_rows(const SoftmaxArgs& args) {
  const std::int64_t n = args.length, rows = args.rows;
  if (args.log) {
    for (std::int64_t r = 0; r < rows; r += kSums)
      log_softmax_rows(args, r, rows - r < kSums ? rows - r : kSums);
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* src = args.src + r * n;
    float* dst = args.dst + r * n;
    row_scale(dst, n, div(set1(1.0f), row_exp_sum<true>(src, dst, n, row_max(src, n))));
  }
}

// Where the elements of all columns wait, and their maxima.
struct ColumnStore {
  float* at;
  std::int64_t stride;
  float most[kSoftmaxColumns];
};

// A vector of columns, or a part of one: masked-off lanes are +0 and never stored.
template <bool kPart>
PYCONV_INLINE vf get(const float* p, vm m) {
  return kPart ? load_tail(p, m) : load(p);
}
template <bool kPart>
PYCONV_INLINE void put(float* p, vf v, vm m) {
  if (kPart)
    store_tail(p, v, m);
  else
    store(p, v);
}

template <bool kPart>
PYCONV_INLINE void copy_vector(const float* src, float* to, float* most, vm m) {
  const vf x = get<kPart>(src, m);
  put<kPart>(to, x, m);
  put<kPart>(most, max(x, get<kPart>(most, m)), m);
}

// Copies the axes element by element, whole lines at a time, and keeps their maxima.
void copy_columns(const SoftmaxArgs& args, ColumnStore& waiting) {
  const vm part = mask_first(args.columns % VL);
  for (int c = 0; c < args.columns; ++c) waiting.most[c] = -__builtin_inff();
  for (std::int64_t i = 0; i < args.length; ++i) {
    const float* src = args.src + i * args.stride;
    float* to = waiting.at + i * waiting.stride;
    int c = 0;
    for (; c + VL <= args.columns; c += VL)
      copy_vector<false>(src + c, to + c, waiting.most + c, part);
    if (c < args.columns) copy_vector<true>(src + c, to + c, waiting.most + c, part);
  }
}

// The 16 partial sums stay in registers, element i + j going to sum j.
template <bool kLog, bool kPart>
PYCONV_INLINE vf column_sum(float* temp, std::int64_t stride, std::int64_t n, vf most, vm m) {
  vf sums[kSums];
#pragma GCC unroll 16
  for (int j = 0; j < kSums; ++j) sums[j] = zero();
  for (std::int64_t i = 0; i < n; i += kSums)
#pragma GCC unroll 16
    for (int j = 0; j < kSums; ++j) {
      if (i + j >= n) break;
      float* const place = temp + (i + j) * stride;
      const vf e = exp_times_2_40(sub(get<kPart>(place, m), most));
      if (!kLog) put<kPart>(place, e, m);
      sums[j] = add(sums[j], e);
    }
#pragma GCC unroll 4
  for (int half = kSums / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int j = 0; j < half; ++j) sums[j] = add(sums[j], sums[j + half]);
  return sums[0];
}

template <bool kLog, bool kPart>
void column_vector(const SoftmaxArgs& args, const ColumnStore& waiting, int first) {
  const vm m = mask_first(kPart ? args.columns - first : VL);
  const std::int64_t n = args.length, stride = waiting.stride, dst_stride = args.stride;
  float* temp = waiting.at + first;
  float* dst = args.dst + first;
  const vf most = get<kPart>(waiting.most + first, m);
  const vf sum = column_sum<kLog, kPart>(temp, stride, n, most, m);
  const vf last = kLog ? log_of_sum(sum) : div(set1(1.0f), sum);
  for (std::int64_t i = 0; i < n; ++i) {
    const vf x = get<kPart>(temp + i * stride, m);
    put<kPart>(dst + i * dst_stride, kLog ? sub(sub(x, most), last) : mul(x, last), m);
  }
}

template <bool kLog>
void column_results(const SoftmaxArgs& args, const ColumnStore& waiting) {
  int c = 0;
  for (; c + VL <= args.columns; c += VL) column_vector<kLog, false>(args, waiting, c);
  if (c < args.columns) column_vector<kLog, true>(args, waiting, c);
}

void softmax_columns(const SoftmaxArgs& args) {
  ColumnStore waiting;
  waiting.at = args.scratch ? args.scratch : args.dst;
  waiting.stride = args.scratch ? args.columns : args.stride;
  copy_columns(args, waiting);
  (args.log ? column_results<true> : column_results<false>)(args, waiting);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
