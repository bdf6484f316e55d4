// Windowed pooling over NHWC, vectorised over channels; contract in pool.h, after pool_fold.inl.h.
//
// A 3x3 maximum goes along the row with the columns' maxima in registers: stride 2 shares one column
// with the next output, stride 1 two. An average may not (its chain runs by rows), nor need it: at
// nine loads per output it waits for the cache.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Channels of one vector: all lanes, or the first few.
template <bool kTail>
struct Channels {
  vm mask;
  PYCONV_INLINE vf get(const float* p) const { return kTail ? load_tail(p, mask) : load(p); }
  PYCONV_INLINE void put(float* p, vf v) const {
    if (kTail)
      store_tail(p, v, mask);
    else
      store(p, v);
  }
};

// Calls step(c) for vectors that cover the channels, the last one shifted back over its neighbour,
// or once with a mask where the channels do not fill a vector.
#define PYCONV_EACH_VECTOR(channels, step)                             \
  if ((channels) < VL) {                                               \
    const Channels<true> lanes{mask_first(static_cast<int>(channels))}; \
    const std::int64_t c = 0;                                          \
    step;                                                              \
  } else {                                                             \
    const Channels<false> lanes{};                                     \
    for (std::int64_t c = 0;;) {                                       \
      step;                                                            \
      if (c == (channels) - VL) break;                                 \
      c = c + VL < (channels) - VL ? c + VL : (channels) - VL;         \
    }                                                                  \
  }

// The taps of one output that lie inside, from the first of them on.
struct Taps {
  const float* src;
  std::int64_t rows, cols, row_step, col_step;
};

template <bool kMax, bool kTail>
PYCONV_INLINE vf any_window(const Taps& taps, std::int64_t c, const Channels<kTail>& lanes,
                            const Divisor& divisor) {
  vf acc = fold_start<kMax>();
  vm nan = mask_first(0);
  for (std::int64_t r = 0; r < taps.rows; ++r) {
    const float* at = taps.src + c + r * taps.row_step;
    std::int64_t s = 0;
    for (; s + 2 <= taps.cols; s += 2, at += 2 * taps.col_step)
      fold<kMax>(acc, nan, lanes.get(at), lanes.get(at + taps.col_step));
    if (s < taps.cols) fold<kMax>(acc, nan, lanes.get(at));
  }
  return finish<kMax>(acc, nan, divisor);
}

template <bool kMax, int K, bool kTail>
PYCONV_INLINE vf square_window(const Taps& taps, std::int64_t c, const Channels<kTail>& lanes,
                               const Divisor& divisor) {
  vf v[K * K];
#pragma GCC unroll 3
  for (int r = 0; r < K; ++r)
#pragma GCC unroll 3
    for (int s = 0; s < K; ++s)
      v[r * K + s] = lanes.get(taps.src + c + r * taps.row_step + s * taps.col_step);
  vf acc = fold_start<kMax>();
  vm nan = mask_first(0);
#pragma GCC unroll 5
  for (int i = 0; i + 2 <= K * K; i += 2) fold<kMax>(acc, nan, v[i], v[i + 1]);
  if (K % 2) fold<kMax>(acc, nan, v[K * K - 1]);
  return finish<kMax>(acc, nan, divisor);
}

template <bool kMax>
void any_pixel(const Taps& taps, float* dst, std::int64_t channels, const Divisor& divisor) {
  PYCONV_EACH_VECTOR(channels, lanes.put(dst + c, any_window<kMax>(taps, c, lanes, divisor)))
}

template <bool kMax, int K>
void square_pixels(Taps taps, std::int64_t pixel_step, float* dst, std::int64_t pixels,
                   std::int64_t channels, const Divisor& divisor) {
  for (std::int64_t x = 0; x < pixels; ++x, taps.src += pixel_step, dst += channels) {
    PYCONV_EACH_VECTOR(channels,
                       lanes.put(dst + c, (square_window<kMax, K>(taps, c, lanes, divisor))))
  }
}

// Maximum of a column of three taps, and its NaN.
template <bool kTail>
PYCONV_INLINE void column_max(const float* at, std::int64_t row_step, const Channels<kTail>& lanes,
                              vf& acc, vm& nan) {
  const vf a = lanes.get(at), b = lanes.get(at + row_step), d = lanes.get(at + 2 * row_step);
  nan = mask_or(unord(a, b), unord(d, d));
  acc = max(max(a, b), d);
}

// `pixels` neighbouring outputs of a 3x3 maximum with dense taps, one vector of channels.
template <int SW, bool kTail>
PYCONV_INLINE void rolling_max(const Taps& taps, std::int64_t c, const Channels<kTail>& lanes,
                               float* dst, std::int64_t pixels, std::int64_t channels) {
  constexpr int kShared = 3 - SW;
  const float* at = taps.src + c;
  vf column[3];
  vm nan[3];
#pragma GCC unroll 2
  for (int s = 0; s < kShared; ++s, at += taps.col_step)
    column_max(at, taps.row_step, lanes, column[s], nan[s]);
  for (dst += c; pixels > 0; --pixels, dst += channels) {
#pragma GCC unroll 2
    for (int s = kShared; s < 3; ++s, at += taps.col_step)
      column_max(at, taps.row_step, lanes, column[s], nan[s]);
    const vf best = max(max(column[0], column[1]), column[2]);
    lanes.put(dst, finish_max(best, mask_or(mask_or(nan[0], nan[1]), nan[2])));
#pragma GCC unroll 2
    for (int s = 0; s < kShared; ++s) {
      column[s] = column[s + SW];
      nan[s] = nan[s + SW];
    }
  }
}

template <int SW>
void rolling_pixels(Taps taps, float* dst, std::int64_t pixels, std::int64_t channels) {
  constexpr std::int64_t kTile = 8;  // outputs that share a sweep over the channels
  for (std::int64_t x = 0; x < pixels; x += kTile) {
    const std::int64_t tile = pixels - x < kTile ? pixels - x : kTile;
    PYCONV_EACH_VECTOR(channels, rolling_max<SW>(taps, c, lanes, dst, tile, channels))
    taps.src += kTile * SW * taps.col_step;
    dst += kTile * channels;
  }
}

// Outputs whose taps all lie inside, in a row whose taps all do.
template <bool kMax>
PYCONV_INLINE void whole_pixels(const PoolImage& p, Taps taps, float* dst, std::int64_t pixels,
                                const Divisor& divisor) {
  const std::int64_t step = p.sw * p.channels;
  if (kMax && p.kh == 3 && p.kw == 3 && p.dw == 1 && p.sw == 2)
    return rolling_pixels<2>(taps, dst, pixels, p.channels);
  if (kMax && p.kh == 3 && p.kw == 3 && p.dw == 1 && p.sw == 1)
    return rolling_pixels<1>(taps, dst, pixels, p.channels);
  if (p.kh == 2 && p.kw == 2)
    return square_pixels<kMax, 2>(taps, step, dst, pixels, p.channels, divisor);
  if (p.kh == 3 && p.kw == 3)
    return square_pixels<kMax, 3>(taps, step, dst, pixels, p.channels, divisor);
  for (std::int64_t x = 0; x < pixels; ++x, taps.src += step, dst += p.channels)
    any_pixel<kMax>(taps, dst, p.channels, divisor);
}

template <bool kMax>
void pool_nhwc(const PoolImage& p) {
  const std::int64_t row_step = p.dh * p.iw * p.channels, col_step = p.dw * p.channels;
  const Interior interior = interior_of(p.iw, p.ow, p.kw, p.sw, p.dw, p.pw);
  for (std::int64_t y = p.row0; y < p.row1; ++y) {
    const std::int64_t y0 = y * p.sh - p.ph;
    const TapRange rows = taps_inside(y0, p.kh, p.dh, p.ih);
    const std::int64_t high = counted(y0, p.kh, p.ih, p.ph, rows, p.include_pad);
    const float* top = p.src + (y0 + rows.low * p.dh) * p.iw * p.channels;
    float* dst = p.dst + y * p.ow * p.channels;
    for (std::int64_t x = 0; x < p.ow; ++x) {
      const std::int64_t x0 = x * p.sw - p.pw;
      const TapRange cols = taps_inside(x0, p.kw, p.dw, p.iw);
      const std::int64_t wide = counted(x0, p.kw, p.iw, p.pw, cols, p.include_pad);
      const Divisor divisor =
          divisor_of(p.divisor != 0.0f ? p.divisor : static_cast<float>(high * wide));
      const Taps taps{top + (x0 + cols.low * p.dw) * p.channels, rows.high - rows.low,
                      cols.high - cols.low, row_step, col_step};
      if (x == interior.first && interior.last > x && taps.rows == p.kh) {
        whole_pixels<kMax>(p, taps, dst + x * p.channels, interior.last - x, divisor);
        x = interior.last - 1;
        continue;
      }
      any_pixel<kMax>(taps, dst + x * p.channels, p.channels, divisor);
    }
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
