// Windowed pooling over NHWC, vectorised over channels; contract in pool.h, after pool_taps.inl.h.
//
// Windows that overlap go down the image in strips of columns, so that the rows they share are still
// in L1. 3x3 maxima: pool_max3x3.inl.h, before this.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// `pixels` neighbouring outputs, `step` floats apart.
struct Outputs {
  float* dst;
  std::int64_t step, pixels;
};

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

// Outputs whose taps all lie inside, in a row whose taps all do.
template <bool kMax>
PYCONV_INLINE void whole_pixels(const PoolImage& p, const Taps& taps, const Outputs& out,
                                const Divisor& divisor) {
  const std::int64_t step = p.sw * p.src_pixel;
  if (p.kh == 2 && p.kw == 2)
    return square_pixels<kMax, 2>(taps, step, out, p.channels, divisor);
  if (p.kh == 3 && p.kw == 3)
    return square_pixels<kMax, 3>(taps, step, out, p.channels, divisor);
  Taps at = taps;
  float* dst = out.dst;
  for (std::int64_t x = 0; x < out.pixels; ++x, at.src += step, dst += out.step)
    any_pixel<kMax>(at, dst, p.channels, divisor);
}

template <bool kMax>
void pool_nhwc(const PoolImage& p) {
  if (kMax && p.kh == 3 && p.kw == 3 && p.dh == 1 && p.dw == 1 && p.sh == p.sw) {
    if (p.sh == 1) return max3x3<1>(p);
    if (p.sh == 2) return max3x3<2>(p);
  }
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
