// Windowed pooling over NHWC, vectorised over channels; contract in pool.h, after pool_fold.inl.h.
//
// A 3x3 maximum goes along the row with the columns' maxima in registers: stride 2 shares one column
// with the next output, stride 1 two. An average may not (its chain runs by rows), nor need it: at
// nine loads per output it waits for the cache. Windows that overlap go down the image in strips of
// columns, so that the rows they share are still in L1.
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

// `pixels` neighbouring outputs, `step` floats apart.
struct Outputs {
  float* dst;
  std::int64_t step, pixels;
};

template <bool kMax, bool kTail>
PYCONV_INLINE vf any_window(const Taps& taps, std::int64_t c, const Channels<kTail>& lanes,
                            const Divisor& divisor) {
  Folded f = fold_start<kMax>();
  for (std::int64_t r = 0; r < taps.rows; ++r) {
    const float* at = taps.src + c + r * taps.row_step;
    for (std::int64_t s = 0; s < taps.cols; ++s, at += taps.col_step) fold<kMax>(f, lanes.get(at));
  }
  return finish<kMax>(f, divisor);
}

template <bool kMax, int K, bool kTail>
PYCONV_INLINE vf square_window(const Taps& taps, std::int64_t c, const Channels<kTail>& lanes,
                               const Divisor& divisor) {
  const float* at = taps.src + c;
  Folded f = fold_first<kMax>(lanes.get(at));
#pragma GCC unroll 9
  for (int i = 1; i < K * K; ++i)
    fold<kMax>(f, lanes.get(at + i / K * taps.row_step + i % K * taps.col_step));
  return finish<kMax>(f, divisor);
}

template <bool kMax>
void any_pixel(const Taps& taps, float* dst, std::int64_t channels, const Divisor& divisor) {
  PYCONV_EACH_VECTOR(channels, lanes.put(dst + c, any_window<kMax>(taps, c, lanes, divisor)))
}

template <bool kMax, int K, bool kTail>
void narrow_pixels(Taps taps, std::int64_t pixel_step, const Outputs& out, const Divisor& divisor,
                   const Channels<kTail>& lanes) {
  float* dst = out.dst;
  for (std::int64_t x = 0; x < out.pixels; ++x, taps.src += pixel_step, dst += out.step)
    lanes.put(dst, square_window<kMax, K>(taps, 0, lanes, divisor));
}

template <bool kMax, int K>
void square_pixels(Taps taps, std::int64_t pixel_step, const Outputs& out, std::int64_t channels,
                   const Divisor& divisor) {
  if (channels < VL)
    return narrow_pixels<kMax, K>(taps, pixel_step, out, divisor,
                                  Channels<true>{mask_first(static_cast<int>(channels))});
  const Channels<false> lanes{};
  if (channels == VL) return narrow_pixels<kMax, K>(taps, pixel_step, out, divisor, lanes);
  float* dst = out.dst;
  for (std::int64_t x = 0; x < out.pixels; ++x, taps.src += pixel_step, dst += out.step)
    for (std::int64_t c = 0;;) {
      lanes.put(dst + c, square_window<kMax, K>(taps, c, lanes, divisor));
      if (c == channels - VL) break;
      c = c + VL < channels - VL ? c + VL : channels - VL;
    }
}

template <bool kTail>
PYCONV_INLINE Folded column_max(const float* at, std::int64_t row_step,
                                const Channels<kTail>& lanes) {
  Folded f = fold_first<true>(lanes.get(at));
  fold<true>(f, lanes.get(at + row_step));
  fold<true>(f, lanes.get(at + 2 * row_step));
  return f;
}

// Neighbouring outputs of a 3x3 maximum with dense taps, one vector of channels.
template <int SW, bool kTail>
PYCONV_INLINE void rolling_max(const Taps& taps, std::int64_t c, const Channels<kTail>& lanes,
                               const Outputs& out) {
  const std::int64_t row = taps.row_step, col = taps.col_step;
  const float* at = taps.src + c;
  Folded first = column_max(at, row, lanes), second = first;
  at += col;
  if (SW == 1) {
    second = column_max(at, row, lanes);
    at += col;
  }
  float* dst = out.dst + c;
  for (std::int64_t x = 0; x < out.pixels; ++x, dst += out.step, at += SW * col) {
    if (SW == 2) second = column_max(at, row, lanes);
    const Folded third = column_max(at + (SW - 1) * col, row, lanes);
    lanes.put(dst, finish_max(larger(larger(first, second), third)));
    first = SW == 2 ? third : second;
    second = third;
  }
}

template <int SW>
void rolling_pixels(const Taps& taps, const Outputs& out, std::int64_t channels) {
  PYCONV_EACH_VECTOR(channels, rolling_max<SW>(taps, c, lanes, out))
}

// Outputs whose taps all lie inside, in a row whose taps all do.
template <bool kMax>
PYCONV_INLINE void whole_pixels(const PoolImage& p, const Taps& taps, const Outputs& out,
                                const Divisor& divisor) {
  const std::int64_t step = p.sw * p.src_pixel;
  if (kMax && p.kh == 3 && p.kw == 3 && p.dw == 1 && p.sw == 2)
    return rolling_pixels<2>(taps, out, p.channels);
  if (kMax && p.kh == 3 && p.kw == 3 && p.dw == 1 && p.sw == 1)
    return rolling_pixels<1>(taps, out, p.channels);
  if (p.kh == 2 && p.kw == 2)
    return square_pixels<kMax, 2>(taps, step, out, p.channels, divisor);
  if (p.kh == 3 && p.kw == 3)
    return square_pixels<kMax, 3>(taps, step, out, p.channels, divisor);
  Taps at = taps;
  float* dst = out.dst;
  for (std::int64_t x = 0; x < out.pixels; ++x, at.src += step, dst += out.step)
    any_pixel<kMax>(at, dst, p.channels, divisor);
}

// Outputs [x0, x1) of row y, whose taps need not lie inside.
template <bool kMax>
void border_pixels(const PoolImage& p, std::int64_t y, std::int64_t x0, std::int64_t x1) {
  const std::int64_t top = y * p.sh - p.ph;
  const TapRange rows = taps_inside(top, p.kh, p.dh, p.ih);
  const std::int64_t high = counted(top, p.kh, p.ih, p.ph, rows, p.include_pad);
  for (std::int64_t x = x0; x < x1; ++x) {
    const std::int64_t left = x * p.sw - p.pw;
    const TapRange cols = taps_inside(left, p.kw, p.dw, p.iw);
    const std::int64_t wide = counted(left, p.kw, p.iw, p.pw, cols, p.include_pad);
    const float* src =
        p.src + ((top + rows.low * p.dh) * p.iw + left + cols.low * p.dw) * p.src_pixel;
    const Taps taps{src, rows.high - rows.low, cols.high - cols.low,
                    p.dh * p.iw * p.src_pixel, p.dw * p.src_pixel};
    any_pixel<kMax>(taps, p.dst + (y * p.ow + x) * p.dst_pixel, p.channels,
                    divisor_of(p.divisor != 0.0f ? p.divisor : static_cast<float>(high * wide)));
  }
}

template <bool kMax>
void pool_nhwc(const PoolImage& p) {
  const Interior across = interior_of(p.iw, p.ow, p.kw, p.sw, p.dw, p.pw);
  Interior down = interior_of(p.ih, p.oh, p.kh, p.sh, p.dh, p.ph);
  if (down.first < p.row0) down.first = p.row0;
  if (down.last > p.row1) down.last = p.row1;
  if (across.first >= across.last || down.first >= down.last) {
    for (std::int64_t y = p.row0; y < p.row1; ++y) border_pixels<kMax>(p, y, 0, p.ow);
    return;
  }
  const Divisor divisor =
      divisor_of(p.divisor != 0.0f ? p.divisor : static_cast<float>(p.kh * p.kw));
  // Floats of input that one row of a strip reads: a few rows of it fit L1.
  constexpr std::int64_t kStripFloats = 1024;
  std::int64_t strip = across.last - across.first;
  if (p.kh > p.sh) {
    const std::int64_t fits = kStripFloats / (p.sw * p.channels);
    if (strip > fits) strip = fits < 4 ? 4 : fits;
  }
  for (std::int64_t y = p.row0; y < p.row1; ++y) {
    const bool inside = y >= down.first && y < down.last;
    if (!inside || across.first > 0) border_pixels<kMax>(p, y, 0, inside ? across.first : p.ow);
    if (inside && across.last < p.ow) border_pixels<kMax>(p, y, across.last, p.ow);
  }
  Taps taps{nullptr, p.kh, p.kw, p.dh * p.iw * p.src_pixel, p.dw * p.src_pixel};
  for (std::int64_t x = across.first; x < across.last; x += strip) {
    const std::int64_t pixels = across.last - x < strip ? across.last - x : strip;
    for (std::int64_t y = down.first; y < down.last; ++y) {
      taps.src = p.src + ((y * p.sh - p.ph) * p.iw + x * p.sw - p.pw) * p.src_pixel;
      whole_pixels<kMax>(p, taps, {p.dst + (y * p.ow + x) * p.dst_pixel, p.dst_pixel, pixels},
                         divisor);
    }
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
