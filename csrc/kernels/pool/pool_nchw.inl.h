// Windowed pooling over one plane (NCHW), vectorised along the width; contract in pool.h, after
// pool_fold.inl.h. The ISA file defines before it:
//
//   even_short(a, b)       a0 a2 ... then b1 b3 ...: every other float from p on, of a = load(p) and
//                          b = load(p + VL - 1), which reach no further than the last one wanted
//   split(a, b, even, odd) the even and the odd elements of a followed by b
//
// Vectors whose taps all lie inside the row are loaded as they stand. At the borders a tap's lanes
// are masked; the masks depend on the column alone, so such a vector goes down all rows.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Lanes [low, high) of a vector, clipped.
PYCONV_INLINE vm mask_range(std::int64_t low, std::int64_t high) {
  low = low < 0 ? 0 : low > VL ? VL : low;
  high = high < low ? low : high > VL ? VL : high;
  return mask_and(mask_first(static_cast<int>(high)), mask_not(mask_first(static_cast<int>(low))));
}

template <bool kMax>
PYCONV_INLINE vf load_masked(const float* p, vm mask) {
  const vf v = load_tail(p, mask);
  return kMax ? select(mask, v, set1(-kInf)) : v;
}

// One vector of outputs at the border: for each tap the elements it may read.
template <bool kMax, int SW>
struct Border {
  vm first[kPoolPlaneMaxWidth], second[kPoolPlaneMaxWidth];
  float wide[VL];  // what each lane's columns contribute to the divisor

  Border(const PoolImage& p, std::int64_t x, int count) {
    for (std::int64_t s = 0; s < p.kw; ++s) {
      const std::int64_t col = x * SW - p.pw + s * p.dw;
      const std::int64_t reach = (count - 1) * SW + 1, room = p.iw - col;
      const std::int64_t high = room < reach ? room : reach;
      first[s] = mask_range(-col, high);
      second[s] = mask_range(-col - (VL - 1), high - (VL - 1));
    }
    for (int i = 0; i < VL; ++i) {
      const std::int64_t x0 = (x + i) * SW - p.pw;
      const TapRange cols = taps_inside(x0, p.kw, p.dw, p.iw);
      wide[i] = i < count ? static_cast<float>(counted(x0, p.kw, p.iw, p.pw, cols, p.include_pad))
                          : 1.0f;
    }
  }
  PYCONV_INLINE vf get(const float* at, std::int64_t s) const {
    if (SW == 1) return load_masked<kMax>(at, first[s]);
    return even_short(load_masked<kMax>(at, first[s]), load_masked<kMax>(at + VL - 1, second[s]));
  }
};

template <bool kMax, int SW>
PYCONV_INLINE vf border_window(const float* at, const PoolImage& p, std::int64_t rows,
                               const Border<kMax, SW>& border, vm& nan) {
  vf acc = fold_start<kMax>();
  for (std::int64_t r = 0; r < rows; ++r, at += p.dh * p.iw)
    for (std::int64_t s = 0; s < p.kw; ++s) fold<kMax>(acc, nan, border.get(at + s * p.dw, s));
  return acc;
}

// Taps s and s + 1 of a dense row.
template <bool kMax, int SW>
PYCONV_INLINE void fold_two(vf& acc, vm& nan, const float* at) {
  if (SW == 1) {
    fold<kMax>(acc, nan, load(at), load(at + 1));
  } else {
    vf even, odd;
    split(load(at), load(at + VL), even, odd);
    fold<kMax>(acc, nan, even, odd);
  }
}

template <bool kMax, int SW>
PYCONV_INLINE void fold_one(vf& acc, vm& nan, const float* at) {
  fold<kMax>(acc, nan, SW == 1 ? load(at) : even_short(load(at), load(at + VL - 1)));
}

// KW > 0: dense taps, their number known.
template <bool kMax, int SW, int KW>
PYCONV_INLINE vf inner_window(const float* at, const PoolImage& p, std::int64_t rows, vm& nan) {
  vf acc = fold_start<kMax>();
  for (std::int64_t r = 0; r < rows; ++r, at += p.dh * p.iw) {
    if (KW > 0) {
#pragma GCC unroll 2
      for (int s = 0; s + 2 <= KW; s += 2) fold_two<kMax, SW>(acc, nan, at + s);
      if (KW % 2) fold_one<kMax, SW>(acc, nan, at + KW - 1);
    } else {
      for (std::int64_t s = 0; s < p.kw; ++s) fold_one<kMax, SW>(acc, nan, at + s * p.dw);
    }
  }
  return acc;
}

// One output row's taps: where they begin, how many rows, and what these add to the divisor.
struct PlaneRow {
  const float* src;
  float* dst;
  std::int64_t rows, high;
};

PYCONV_INLINE PlaneRow plane_row(const PoolImage& p, std::int64_t y) {
  const std::int64_t y0 = y * p.sh - p.ph;
  const TapRange inside = taps_inside(y0, p.kh, p.dh, p.ih);
  return {p.src + (y0 + inside.low * p.dh) * p.iw, p.dst + y * p.ow, inside.high - inside.low,
          counted(y0, p.kh, p.ih, p.ph, inside, p.include_pad)};
}

template <bool kMax, int SW>
void border_block(const PoolImage& p, std::int64_t x, std::int64_t row0, std::int64_t row1) {
  const int count = p.ow - x < VL ? static_cast<int>(p.ow - x) : VL;
  const Border<kMax, SW> border(p, x, count);
  const vm stored = mask_first(count);
  for (std::int64_t y = row0; y < row1; ++y) {
    const PlaneRow row = plane_row(p, y);
    vm nan = mask_first(0);
    const vf acc = border_window<kMax, SW>(row.src + x * SW - p.pw, p, row.rows, border, nan);
    vf out;
    if (kMax)
      out = finish_max(acc, nan);
    else if (p.divisor != 0.0f)
      out = div(acc, set1(p.divisor));
    else
      out = div(acc, mul(set1(static_cast<float>(row.high)), load(border.wide)));
    store_tail(row.dst + x, out, stored);
  }
}

// Blocks of the row whose taps lie inside it, [first, last) of the output; true unless the loads
// would pass the end of the input.
template <bool kMax, int SW, int KW>
PYCONV_INLINE bool inner_blocks(const PoolImage& p, const PlaneRow& row, std::int64_t first,
                                std::int64_t last) {
  const std::int64_t last_block = first + (last - first - 1) / VL * VL;
  const std::int64_t reach = (p.kh - 1) * p.dh * p.iw + last_block * SW - p.pw +
                             (p.kw - 1) * p.dw + (VL - 1) * SW + 1;
  if (p.end - row.src < reach) return false;
  const Divisor divisor =
      divisor_of(p.divisor != 0.0f ? p.divisor : static_cast<float>(row.high * p.kw));
  for (std::int64_t x = first; x < last; x += VL) {
    vm nan = mask_first(0);
    const vf acc = inner_window<kMax, SW, KW>(row.src + x * SW - p.pw, p, row.rows, nan);
    const vf out = finish<kMax>(acc, nan, divisor);
    if (x + VL <= p.ow)
      store(row.dst + x, out);
    else
      store_tail(row.dst + x, out, mask_first(static_cast<int>(p.ow - x)));
  }
  return true;
}

template <bool kMax, int SW, int KW>
void pool_plane(const PoolImage& p) {
  const Interior interior = interior_of(p.iw, p.ow, p.kw, SW, p.dw, p.pw);
  // Whole blocks inside: from the first block start on to the last block end, or to the row's.
  std::int64_t first = (interior.first + VL - 1) / VL * VL;
  std::int64_t last = interior.last == p.ow ? p.ow : interior.last / VL * VL;
  if (first >= last) first = last = 0;
  for (std::int64_t y = p.row0; y < p.row1; ++y) {
    if (first == last) break;
    if (inner_blocks<kMax, SW, KW>(p, plane_row(p, y), first, last)) continue;
    for (std::int64_t x = first; x < last; x += VL) border_block<kMax, SW>(p, x, y, y + 1);
  }
  for (std::int64_t x = 0; x < p.ow; x += VL)
    if (x < first || x >= last) border_block<kMax, SW>(p, x, p.row0, p.row1);
}

template <bool kMax, int SW>
PYCONV_INLINE void pool_stride(const PoolImage& p) {
  if (p.kw == 2 && p.dw == 1) return pool_plane<kMax, SW, 2>(p);
  if (p.kw == 3 && p.dw == 1) return pool_plane<kMax, SW, 3>(p);
  pool_plane<kMax, SW, 0>(p);
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
