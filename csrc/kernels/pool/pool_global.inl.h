// Global pooling; contract and order of summation in pool.h, after pool_nhwc.inl.h and
// simd/tree_sum.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// NHWC goes through the pixels in order, a block of channels at a time, and keeps what it gathers in
// L1: 16 partial sums per channel, or one maximum.
constexpr int kBlockVectors = 256 / VL;

// The larger, NaN if either is: where one is NaN the two comparisons return a different one of them,
// and NaN survives the union of their bits. Of two zeros it returns either.
PYCONV_INLINE vf sticky_max(vf a, vf b) {
  return from_bits(or_(bits(max(a, b)), bits(max(b, a))));
}

// Adds N pixels that belong to one partial sum, 16 apart, one after the other: N streams along the channels.
template <int N, bool kTail>
PYCONV_INLINE void add_pixels(const float* src, std::int64_t pixel, int vectors, bool begin,
                              const Channels<kTail>& lanes, float* sums) {
  for (int v = 0; v < vectors; ++v) {
    vf sum = begin ? zero() : load(sums + v * VL);
    const float* at = src + v * VL;
#pragma GCC unroll 4
    for (int k = 0; k < N; ++k, at += 16 * pixel) sum = add(sum, lanes.get(at));
    store(sums + v * VL, sum);
  }
}

template <bool kTail>
PYCONV_INLINE void average_block(const float* src, std::int64_t pixel, std::int64_t pixels,
                                 int vectors, const Channels<kTail>& lanes, float* dst) {
  alignas(64) float sums[16][kBlockVectors * VL];
  constexpr std::int64_t kGroup = 64;
  for (std::int64_t i = 0; i < pixels; i += kGroup)
    for (int j = 0; j < 16; ++j) {
      const std::int64_t rest = pixels - i - j;
      const float* from = src + (i + j) * pixel;
      if (rest > 48)
        add_pixels<4>(from, pixel, vectors, i == 0, lanes, sums[j]);
      else if (rest > 32)
        add_pixels<3>(from, pixel, vectors, i == 0, lanes, sums[j]);
      else if (rest > 16)
        add_pixels<2>(from, pixel, vectors, i == 0, lanes, sums[j]);
      else if (rest > 0)
        add_pixels<1>(from, pixel, vectors, i == 0, lanes, sums[j]);
      else if (i == 0)
        add_pixels<0>(src, pixel, vectors, true, lanes, sums[j]);
    }
  const Divisor divisor = divisor_of(static_cast<float>(pixels));
  for (int v = 0; v < vectors; ++v) {
    vf sum[16];
#pragma GCC unroll 16
    for (int j = 0; j < 16; ++j) sum[j] = load(sums[j] + v * VL);
#pragma GCC unroll 4
    for (int half = 8; half >= 1; half /= 2)
#pragma GCC unroll 8
      for (int j = 0; j < half; ++j) sum[j] = add(sum[j], sum[j + half]);
    lanes.put(dst + v * VL, finish<false>({sum[0], iset1(0)}, divisor));
  }
}

// Magnitudes are taken beside, as in pool_max3x3.inl.h: a block that met NaN is gone through again with care.
template <bool kTail>
void maximum_with_nan(const float* src, std::int64_t pixel, std::int64_t pixels, int vectors,
                      const Channels<kTail>& lanes, float* dst) {
  for (int v = 0; v < vectors; ++v) {
    vf best = lanes.get(src + v * VL);
    for (std::int64_t i = 1; i < pixels; ++i) best = sticky_max(best, lanes.get(src + i * pixel + v * VL));
    lanes.put(dst + v * VL, add(best, zero()));
  }
}

template <bool kTail>
PYCONV_INLINE void maximum_block(const float* src, std::int64_t pixel, std::int64_t pixels,
                                 int vectors, const Channels<kTail>& lanes, float* dst) {
  constexpr int kPixels = 8;
  alignas(64) float best[kBlockVectors * VL];
  vi seen = iset1(0);
  for (int v = 0; v < vectors; ++v) store(best + v * VL, lanes.get(src + v * VL));
  for (std::int64_t i = 0; i < pixels; i += kPixels) {
    const std::int64_t count = pixels - i < kPixels ? pixels - i : kPixels;
    for (int v = 0; v < vectors; ++v) {
      const float* at = src + i * pixel + v * VL;
      const vf first = lanes.get(at);
      vf most = max(first, load(best + v * VL));
      vi peak = magnitude(first);
      if (count == kPixels) {
#pragma GCC unroll 8
        for (int j = 1; j < kPixels; ++j) {
          const vf value = lanes.get(at += pixel);
          most = max(most, value);
          peak = imax(peak, magnitude(value));
        }
      } else {
        for (std::int64_t j = 1; j < count; ++j) {
          const vf value = lanes.get(at += pixel);
          most = max(most, value);
          peak = imax(peak, magnitude(value));
        }
      }
      seen = imax(seen, peak);
      store(best + v * VL, most);
    }
  }
  if (any(above(seen, iset1(0x7f800000)))) return maximum_with_nan(src, pixel, pixels, vectors, lanes, dst);
  for (int v = 0; v < vectors; ++v) lanes.put(dst + v * VL, add(load(best + v * VL), zero()));
}

template <bool kMax, bool kTail>
void global_block(const PoolGlobal& p, std::int64_t c, int vectors, const Channels<kTail>& lanes) {
  if (kMax)
    maximum_block(p.src + c, p.pixel_stride, p.pixels, vectors, lanes, p.dst + c);
  else
    average_block(p.src + c, p.pixel_stride, p.pixels, vectors, lanes, p.dst + c);
}

template <bool kMax>
void global_nhwc(const PoolGlobal& p) {
  std::int64_t c = p.first;
  while (c + VL <= p.last) {
    const std::int64_t whole = (p.last - c) / VL;
    const int vectors = whole < kBlockVectors ? static_cast<int>(whole) : kBlockVectors;
    global_block<kMax>(p, c, vectors, Channels<false>{});
    c += vectors * VL;
  }
  if (c < p.last) global_block<kMax>(p, c, 1, Channels<true>{mask_first(static_cast<int>(p.last - c))});
}

// NCHW: the 16 partial sums are 16 / VL vectors; a few planes go side by side, to overlap their chains.
constexpr int kPlanes = VL == 16 ? 4 : VL == 8 ? 2 : 1;

PYCONV_INLINE vf rest_of(const float* src, std::int64_t rest) {
  return rest >= VL ? load(src) : load_tail(src, mask_first(rest < 0 ? 0 : static_cast<int>(rest)));
}

template <int NP>
PYCONV_INLINE void average_planes(const float* src, std::int64_t pixels, float* dst) {
  vf sum[NP][kSumVectors];
#pragma GCC unroll 4
  for (int i = 0; i < NP; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kSumVectors; ++j) sum[i][j] = zero();
  std::int64_t x = 0;
  for (; x + 16 <= pixels; x += 16)
#pragma GCC unroll 4
    for (int i = 0; i < NP; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kSumVectors; ++j)
        sum[i][j] = add(sum[i][j], load(src + i * pixels + x + j * VL));
  const Divisor divisor = divisor_of(static_cast<float>(pixels));
#pragma GCC unroll 4
  for (int i = 0; i < NP; ++i) {
    if (x < pixels)
#pragma GCC unroll 4
      for (int j = 0; j < kSumVectors; ++j)
        sum[i][j] = add(sum[i][j], rest_of(src + i * pixels + x + j * VL, pixels - x - j * VL));
    store_tail(dst + i, finish<false>({tree_sum(sum[i]), iset1(0)}, divisor), mask_first(1));
  }
}

template <int NP>
PYCONV_INLINE void maximum_planes(const float* src, std::int64_t pixels, float* dst) {
  vf best[NP];
#pragma GCC unroll 4
  for (int i = 0; i < NP; ++i) best[i] = set1(-kInf);
  std::int64_t x = 0;
  for (; x + VL <= pixels; x += VL)
#pragma GCC unroll 4
    for (int i = 0; i < NP; ++i) best[i] = sticky_max(best[i], load(src + i * pixels + x));
  const vm tail = mask_first(static_cast<int>(pixels - x));
#pragma GCC unroll 4
  for (int i = 0; i < NP; ++i) {
    if (x < pixels)
      best[i] = sticky_max(best[i], select(tail, load_tail(src + i * pixels + x, tail), best[i]));
#pragma GCC unroll 4
    for (int by = VL / 2; by >= 1; by /= 2) best[i] = sticky_max(best[i], rotate(best[i], by));
    store_tail(dst + i, add(best[i], zero()), mask_first(1));
  }
}

template <bool kMax>
void global_nchw(const PoolGlobal& p) {
  std::int64_t c = p.first;
  for (; c + kPlanes <= p.last; c += kPlanes) {
    if (kMax)
      maximum_planes<kPlanes>(p.src + c * p.pixels, p.pixels, p.dst + c);
    else
      average_planes<kPlanes>(p.src + c * p.pixels, p.pixels, p.dst + c);
  }
  for (; c < p.last; ++c) {
    if (kMax)
      maximum_planes<1>(p.src + c * p.pixels, p.pixels, p.dst + c);
    else
      average_planes<1>(p.src + c * p.pixels, p.pixels, p.dst + c);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
