// Global pooling; contract and order of summation in pool.h, after pool_nhwc.inl.h and
// simd/tree_sum.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// NHWC: NV vectors of channels together. The partial sums are made one after the other and put
// together as the tree grows, so that no more than five of them are alive.
template <int NV, int STRIDE, bool kTail>
PYCONV_INLINE void partial_sums(const float* src, std::int64_t channels, std::int64_t pixels,
                                int first, const Channels<kTail>& lanes, vf (&sum)[NV]) {
  if constexpr (STRIDE == 16) {
    for (int j = 0; j < NV; ++j) sum[j] = zero();
    const float* at = src + first * channels;
    for (std::int64_t i = first; i < pixels; i += 16, at += 16 * channels) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) sum[j] = add(sum[j], lanes.get(at + j * VL));
    }
  } else {
    vf other[NV];
    partial_sums<NV, STRIDE * 2>(src, channels, pixels, first, lanes, sum);
    partial_sums<NV, STRIDE * 2>(src, channels, pixels, first + STRIDE, lanes, other);
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) sum[j] = add(sum[j], other[j]);
  }
}

template <int NV, bool kTail>
void global_avg_channels(const PoolGlobal& p, std::int64_t c, const Channels<kTail>& lanes) {
  const Divisor divisor = divisor_of(static_cast<float>(p.pixels));
  vf sum[NV];
  partial_sums<NV, 1>(p.src + c, p.channels, p.pixels, 0, lanes, sum);
  for (int j = 0; j < NV; ++j) lanes.put(p.dst + c + j * VL, finish<false>(sum[j], mask_first(0), divisor));
}

template <int NV, bool kTail>
void global_max_channels(const PoolGlobal& p, std::int64_t c, const Channels<kTail>& lanes) {
  vf acc[NV];
  vm nan[NV];
  for (int j = 0; j < NV; ++j) {
    acc[j] = set1(-kInf);
    nan[j] = mask_first(0);
  }
  const float* at = p.src + c;
  std::int64_t i = 0;
  for (; i + 2 <= p.pixels; i += 2, at += 2 * p.channels)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j)
      fold<true>(acc[j], nan[j], lanes.get(at + j * VL), lanes.get(at + p.channels + j * VL));
  if (i < p.pixels)
    for (int j = 0; j < NV; ++j) fold<true>(acc[j], nan[j], lanes.get(at + j * VL));
  for (int j = 0; j < NV; ++j) lanes.put(p.dst + c + j * VL, finish_max(acc[j], nan[j]));
}

template <bool kMax, int NV, bool kTail>
PYCONV_INLINE void global_channels(const PoolGlobal& p, std::int64_t c, const Channels<kTail>& lanes) {
  if (kMax)
    global_max_channels<NV>(p, c, lanes);
  else
    global_avg_channels<NV>(p, c, lanes);
}

template <bool kMax>
void global_nhwc(const PoolGlobal& p) {
  std::int64_t c = p.first;
  for (; c + 4 * VL <= p.last; c += 4 * VL) global_channels<kMax, 4>(p, c, Channels<false>{});
  for (; c + VL <= p.last; c += VL) global_channels<kMax, 1>(p, c, Channels<false>{});
  if (c < p.last)
    global_channels<kMax, 1>(p, c, Channels<true>{mask_first(static_cast<int>(p.last - c))});
}

// NCHW: the 16 partial sums are 16 / VL vectors.
PYCONV_INLINE vf sum_plane(const float* src, std::int64_t pixels) {
  constexpr int N = kSumVectors;
  vf sum[N];
  for (int j = 0; j < N; ++j) sum[j] = zero();
  std::int64_t i = 0;
  for (; i + 16 <= pixels; i += 16)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sum[j] = add(sum[j], load(src + i + j * VL));
#pragma GCC unroll 4
  for (int j = 0; j < N; ++j, i += VL) {
    if (i >= pixels) break;
    const std::int64_t rest = pixels - i;
    sum[j] = add(sum[j], rest >= VL ? load(src + i) : load_tail(src + i, mask_first(static_cast<int>(rest))));
  }
  return tree_sum(sum);
}

PYCONV_INLINE vf max_plane(const float* src, std::int64_t pixels) {
  vf acc = set1(-kInf);
  vm nan = mask_first(0);
  std::int64_t i = 0;
  for (; i + 2 * VL <= pixels; i += 2 * VL) fold<true>(acc, nan, load(src + i), load(src + i + VL));
  for (; i + VL <= pixels; i += VL) fold<true>(acc, nan, load(src + i));
  if (i < pixels) {
    const vm lanes = mask_first(static_cast<int>(pixels - i));
    fold<true>(acc, nan, select(lanes, load_tail(src + i, lanes), acc));
  }
  vf best = finish_max(acc, nan);
#pragma GCC unroll 4
  for (int by = VL / 2; by >= 1; by /= 2) {
    const vf other = rotate(best, by);
    best = select(unord(best, other), set1(__builtin_nanf("")), max(best, other));
  }
  return best;
}

template <bool kMax>
void global_nchw(const PoolGlobal& p) {
  const Divisor divisor = divisor_of(static_cast<float>(p.pixels));
  const vm one = mask_first(1);
  for (std::int64_t c = p.first; c < p.last; ++c) {
    const float* src = p.src + c * p.pixels;
    const vf v = kMax ? max_plane(src, p.pixels) : sum_plane(src, p.pixels);
    store_tail(p.dst + c, kMax ? v : finish<false>(v, one, divisor), one);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
