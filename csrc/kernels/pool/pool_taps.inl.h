// One output of an NHWC window of any shape, its taps inside the image; after pool_fold.inl.h.
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
  Folded f = fold_start<kMax>();
  for (std::int64_t r = 0; r < taps.rows; ++r) {
    const float* at = taps.src + c + r * taps.row_step;
    for (std::int64_t s = 0; s < taps.cols; ++s, at += taps.col_step) fold<kMax>(f, lanes.get(at));
  }
  return finish<kMax>(f, divisor);
}

template <bool kMax>
void any_pixel(const Taps& taps, float* dst, std::int64_t channels, const Divisor& divisor) {
  PYCONV_EACH_VECTOR(channels, lanes.put(dst + c, any_window<kMax>(taps, c, lanes, divisor)))
}

// The taps of output (y, x) inside the image; `divisor`: what its average divides by, if asked for.
PYCONV_INLINE Taps taps_of(const PoolImage& p, std::int64_t y, std::int64_t x,
                           float* divisor = nullptr) {
  const std::int64_t top = y * p.sh - p.ph, left = x * p.sw - p.pw;
  const TapRange rows = taps_inside(top, p.kh, p.dh, p.ih);
  const TapRange cols = taps_inside(left, p.kw, p.dw, p.iw);
  if (divisor) {
    const std::int64_t high = counted(top, p.kh, p.ih, p.ph, rows, p.include_pad);
    const std::int64_t wide = counted(left, p.kw, p.iw, p.pw, cols, p.include_pad);
    *divisor = p.divisor != 0.0f ? p.divisor : static_cast<float>(high * wide);
  }
  const std::int64_t first = (top + rows.low * p.dh) * p.iw + left + cols.low * p.dw;
  return {p.src + first * p.src_pixel, rows.high - rows.low, cols.high - cols.low,
          p.dh * p.iw * p.src_pixel, p.dw * p.src_pixel};
}

// Outputs [x0, x1) of row y, whose taps need not lie inside.
template <bool kMax>
void border_pixels(const PoolImage& p, std::int64_t y, std::int64_t x0, std::int64_t x1) {
  for (std::int64_t x = x0; x < x1; ++x) {
    float divisor = 0.0f;
    const Taps taps = taps_of(p, y, x, &divisor);
    any_pixel<kMax>(taps, p.dst + (y * p.ow + x) * p.dst_pixel, p.channels, divisor_of(divisor));
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
