// Windowed pooling over planes (NCHW), vectorised along the width; contract in pool.h, after
// pool_fold.inl.h. The ISA file defines before it:
//
//   even_short(a, b)       a0 a2 ... then b1 b3 ...: every other float from p on, of a = load(p) and
//                          b = load(p + VL - 1), which reach no further than the last one wanted
//   split(a, b, even, odd) the even and the odd elements of a followed by b; may overwrite them
//
// Where every window lies inside, planes are read as they stand, but for the last ones, whose vectors
// might reach past the input. Else a plane is copied between borders of -inf (max) or +0 (avg), which
// are written once for all planes of a call: then every window lies inside.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Taps s and s + 1 of a dense row.
template <bool kMax, int SW>
PYCONV_INLINE void fold_two(Folded& f, const float* at) {
  vf even = load(at), odd = load(at + (SW == 1 ? 1 : VL));
  if (SW == 2) split(even, odd, even, odd);
  fold<kMax>(f, even);
  fold<kMax>(f, odd);
}

template <bool kMax, int SW>
PYCONV_INLINE void fold_one(Folded& f, const float* at) {
  fold<kMax>(f, SW == 1 ? load(at) : even_short(load(at), load(at + VL - 1)));
}

// Windows of K x K dense taps, or of any (K = 0).
template <bool kMax, int SW, int K>
PYCONV_INLINE Folded plane_window(const float* at, const PoolImage& p, std::int64_t stride) {
  Folded f = fold_start<kMax>();
  if (K > 0) {
#pragma GCC unroll 3
    for (int r = 0; r < K; ++r, at += stride) {
#pragma GCC unroll 2
      for (int s = 0; s + 2 <= K; s += 2) fold_two<kMax, SW>(f, at + s);
      if (K % 2) fold_one<kMax, SW>(f, at + K - 1);
    }
  } else {
    for (std::int64_t r = 0; r < p.kh; ++r)
      for (std::int64_t s = 0; s < p.kw; ++s)
        fold_one<kMax, SW>(f, at + r * p.dh * stride + s * p.dw);
  }
  return f;
}

// Output rows [row0, row1) of one plane from `at`, the first tap of the first window, in rows of
// `stride`. `wide` is what each column contributes to the divisor; null: all of them kw.
template <bool kMax, int SW, int K>
PYCONV_INLINE void plane_rows(const PoolImage& p, const float* at, std::int64_t stride,
                              const float* wide, float* dst) {
  const vm tail = mask_first(static_cast<int>(p.ow - (p.ow - 1) / VL * VL));
  const Divisor divisor = divisor_of(p.divisor != 0.0f ? p.divisor : static_cast<float>(p.kh * p.kw));
  for (std::int64_t y = p.row0; y < p.row1; ++y, at += p.sh * stride, dst += p.ow) {
    vf high = zero();
    if (!kMax && wide) {
      const std::int64_t y0 = y * p.sh - p.ph;
      const TapRange rows = taps_inside(y0, p.kh, 1, p.ih);
      high = set1(static_cast<float>(counted(y0, p.kh, p.ih, p.ph, rows, p.include_pad)));
    }
    for (std::int64_t x = 0; x < p.ow; x += VL) {
      const Folded f = plane_window<kMax, SW, K>(at + x * SW, p, stride);
      const vf out = !kMax && wide ? div(f.value, mul(high, load(wide + x)))
                                   : finish<kMax>(f, divisor);
      if (x + VL <= p.ow)
        store(dst + x, out);
      else
        store_tail(dst + x, out, tail);
    }
  }
}

PYCONV_INLINE void copy_row(const float* src, float* dst, std::int64_t n) {
  if (n < VL) {
    const vm lanes = mask_first(static_cast<int>(n));
    return store_tail(dst, load_tail(src, lanes), lanes);
  }
  std::int64_t i = 0;
  for (; i + VL <= n; i += VL) store(dst + i, load(src + i));
  if (i < n) store(dst + n - VL, load(src + n - VL));
}

// A band of padded rows in scratch, and the counts of its columns.
template <bool kMax>
struct PaddedBand {
  float *rows, *wide;
  std::int64_t stride, count, top;  // top: the input row of the first one

  explicit PaddedBand(const PoolImage& p) {
    const PoolBand band = pool_band(p);
    rows = p.scratch;
    wide = rows + band.rows * band.stride;
    stride = band.stride;
    count = band.rows;
    top = p.row0 * p.sh - p.ph;
    const vf border = set1(kMax ? -kInf : 0.0f);
    for (std::int64_t i = 0; i < count * stride; i += VL) store(rows + i, border);
    if (kMax) return;
    for (std::int64_t x = 0; x < (p.ow + VL - 1) / VL * VL; ++x) {
      const std::int64_t x0 = x * p.sw - p.pw;
      const TapRange cols = taps_inside(x0, p.kw, 1, p.iw);
      const std::int64_t taps = counted(x0, p.kw, p.iw, p.pw, cols, p.include_pad);
      wide[x] = x < p.ow ? static_cast<float>(taps) : 1.0f;
    }
  }

  PYCONV_INLINE void take(const PoolImage& p, const float* plane) const {
    const std::int64_t room = stride - p.pw, n = p.iw < room ? p.iw : room;
    for (std::int64_t r = top < 0 ? -top : 0; r < count && top + r < p.ih; ++r)
      copy_row(plane + (top + r) * p.iw, rows + r * stride + p.pw, n);
  }
};

template <bool kMax, int SW, int K>
void pool_planes(const PoolImage& p) {
  const Interior across = interior_of(p.iw, p.ow, p.kw, p.sw, p.dw, p.pw);
  const Interior down = interior_of(p.ih, p.oh, p.kh, p.sh, p.dh, p.ph);
  const bool inside = across.first == 0 && across.last == p.ow && down.first <= p.row0 &&
                      down.last >= p.row1;
  const std::int64_t plane = p.ih * p.iw, out = p.oh * p.ow;
  const std::int64_t reach = ((p.row1 - 1) * p.sh + (p.kh - 1) * p.dh) * p.iw +
                             ((p.ow - 1) / VL * VL + VL - 1) * SW + (p.kw - 1) * p.dw + 1;
  float* dst = p.dst + p.row0 * p.ow;
  const float* src = p.src;
  std::int64_t i = 0;
  if (inside) {
    for (; i < p.planes && p.end - src >= reach; ++i, src += plane, dst += out)
      plane_rows<kMax, SW, K>(p, src + p.row0 * p.sh * p.iw, p.iw, nullptr, dst);
    if (i == p.planes) return;
  }
  const PaddedBand<kMax> band(p);
  const float* wide = kMax || p.divisor != 0.0f || inside ? nullptr : band.wide;
  for (; i < p.planes; ++i, src += plane, dst += out) {
    band.take(p, src);
    plane_rows<kMax, SW, K>(p, band.rows, band.stride, wide, dst);
  }
}

template <bool kMax, int SW>
PYCONV_INLINE void pool_stride(const PoolImage& p) {
  const bool square = p.kh == p.kw && p.dw == 1 && p.dh == 1;
  if (square && p.kw == 2) return pool_planes<kMax, SW, 2>(p);
  if (square && p.kw == 3) return pool_planes<kMax, SW, 3>(p);
  pool_planes<kMax, SW, 0>(p);
}

template <bool kMax>
void pool_nchw(const PoolImage& p) {
  if (p.sw == 1)
    pool_stride<kMax, 1>(p);
  else
    pool_stride<kMax, 2>(p);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
