// The 3x3 maximum of stride 1 or 2 over NHWC; contract in pool.h, after pool_taps.inl.h.
//
// A tile of a few columns walks down some rows, one vector of channels at a time: every input row is
// read once, the maxima of its windows' columns are kept until the rows below have joined them. Rows and
// columns outside the image are replaced by the nearest inside, which lies in the same window: a maximum
// does not mind. Nor does it carry NaN: largest magnitudes are taken beside, in the integer pipes, and a
// walk that met NaN is done again window by window.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int S>
constexpr int kMaxColumns = kRegisters == 32 ? (S == 1 ? 7 : 4) : (S == 1 ? 4 : 2);
template <int S>
constexpr int kMaxSpan = (kMaxColumns<S> - 1) * S + 3;

// Outputs [y0, y1) x `columns` from column x0 on.
struct MaxTile {
  std::int64_t y0, y1, x0, columns;
};

// How a tile reaches its columns from a row's first pixel: all but the first and the last a constant
// step apart, or (narrow images, windows that overhang) by a table.
template <int S>
struct SteppedColumns {
  static constexpr bool kWhole = true;
  std::int64_t first, last, second;
  ColumnSteps step;
  SteppedColumns(const std::int64_t (&at)[kMaxSpan<S>], std::int64_t pixel)
      : first(at[0] - at[1] + pixel), last(at[kMaxSpan<S> - 1] - at[1] + pixel),
        second(at[1] - pixel), step(pixel) {}
  PYCONV_INLINE const float* row(const float* src) const { return src + second; }
  PYCONV_INLINE const float* at(const float* row, const float*& base, int u) const {
    if (u == 0) return row + first;
    if (u == kMaxSpan<S> - 1) return row + last;
    if (u % 8 == 0) base = opaque(base + 2 * step.one);
    return step.at(base, u);
  }
};
template <int S>
struct TableColumns {
  static constexpr bool kWhole = false;
  std::int64_t table[kMaxSpan<S>];
  explicit TableColumns(const std::int64_t (&at)[kMaxSpan<S>]) {
    for (int u = 0; u < kMaxSpan<S>; ++u) table[u] = at[u];
  }
  PYCONV_INLINE const float* row(const float* src) const { return src; }
  PYCONV_INLINE const float* at(const float* row, const float*&, int u) const {
    return row + table[u];
  }
};

// Maxima of the windows' columns in input row r; `seen`: the largest magnitude so far.
template <int S, class Columns, bool kTail>
PYCONV_INLINE void row_maxima(const PoolImage& p, const float* src, const Columns& at,
                              std::int64_t r, const Channels<kTail>& lanes, vi& seen,
                              vf (&best)[kMaxColumns<S>]) {
  r = r < 0 ? 0 : r >= p.ih ? p.ih - 1 : r;
  const float* row = opaque(src + r * p.iw * p.src_pixel);
  const float* base = row;
  vf v[kMaxSpan<S>];
  vi peak = iset1(0);
#pragma GCC unroll 16
  for (int u = 0; u < kMaxSpan<S>; ++u) {
    v[u] = lanes.get(at.at(row, base, u));
    peak = imax(peak, magnitude(v[u]));
  }
  seen = imax(seen, peak);
  // At stride 1 neighbours share the maximum of two columns.
#pragma GCC unroll 8
  for (int q = 0; q < kMaxColumns<S>; ++q) {
    const vf a = v[q * S], b = v[q * S + 1], c = v[q * S + 2];
    best[q] = q % 2 ? max(max(a, b), c) : max(a, max(b, c));
  }
}

template <int W>
PYCONV_INLINE void join(vf (&to)[W], const vf (&a)[W], const vf (&b)[W]) {
#pragma GCC unroll 8
  for (int q = 0; q < W; ++q) to[q] = max(a[q], b[q]);
}

template <bool kTail>
void max3x3_with_nan(const PoolImage& p, const MaxTile& t, std::int64_t c,
                     const Channels<kTail>& lanes) {
  for (std::int64_t y = t.y0; y < t.y1; ++y)
    for (std::int64_t x = t.x0; x < t.x0 + t.columns; ++x)
      lanes.put(p.dst + (y * p.ow + x) * p.dst_pixel + c,
                any_window<true>(taps_of(p, y, x), c, lanes, divisor_of(1.0f)));
}

template <int S, class Columns, bool kTail>
PYCONV_INLINE void max3x3_down(const PoolImage& image, const MaxTile& tile, const Columns& columns,
                               std::int64_t c, const Channels<kTail>& lanes) {
  constexpr int W = kMaxColumns<S>;
  const PoolImage p = image;  // copies that no store can be thought to change
  const MaxTile t = tile;
  const Columns at = columns;
  const float* src = at.row(p.src + c);
  vf upper[W], last[W], next[W];
  vi seen = iset1(0);
  std::int64_t r = t.y0 * S - p.ph;
  row_maxima<S>(p, src, at, r++, lanes, seen, last);
  if (S == 1) {
    row_maxima<S>(p, src, at, r++, lanes, seen, next);
    join(upper, last, next);
    join(last, next, next);
  }
  float* row = p.dst + (t.y0 * p.ow + t.x0) * p.dst_pixel + c;
  for (std::int64_t y = t.y0; y < t.y1; ++y, row += p.ow * p.dst_pixel) {
    if (S == 2) {
      row_maxima<S>(p, src, at, r++, lanes, seen, next);
      join(upper, last, next);
    }
    row_maxima<S>(p, src, at, r++, lanes, seen, next);
    float* out = row;
#pragma GCC unroll 8
    for (int q = 0; q < W; ++q, out += p.dst_pixel) {
      if (!Columns::kWhole && q >= t.columns) break;
      lanes.put(out, add(max(upper[q], next[q]), zero()));
    }
    if (S == 1) join(upper, last, next);
    join(last, next, next);
  }
  if (any(above(seen, iset1(0x7f800000)))) max3x3_with_nan(image, tile, c, lanes);
}

template <int S, class Columns>
void max3x3_tile(const PoolImage& p, const MaxTile& t, const Columns& at) {
  PYCONV_EACH_VECTOR(p.channels, max3x3_down<S>(p, t, at, c, lanes))
}

// Rows of a walk, so that its lines stay in L1 until the next vector of channels: the prefetcher fetches
// the lines beside. A pixel stride of many powers of two leaves few cache sets to them. Zen 5 (64 sets
// of 12 ways), 2026-11: `python -m benchmarks.bench_ops pool` measures it again.
template <int S>
std::int64_t walk_rows(const PoolImage& p) {
  constexpr std::int64_t kLines = S * kMaxSpan<S> + kMaxColumns<S>;
  constexpr std::int64_t kMost = S == 1 ? 14 : 5, kLeast = 3;
  std::int64_t sets = 64;
  for (std::int64_t floats = p.src_pixel | p.dst_pixel; floats % 32 == 0 && sets > 1; floats /= 2)
    sets /= 2;
  const std::int64_t rows = 12 * sets / kLines;
  return rows < kLeast ? kLeast : rows < kMost ? rows : kMost;
}

// The columns that the tile beside `t` reads and `t` does not, to L2: in the order of the walks no hardware
// prefetcher follows them.
template <int S>
void fetch_beside(const PoolImage& p, const MaxTile& t) {
  const std::int64_t y0 = t.y0 * S - p.ph, y1 = (t.y1 - 1) * S + 3 - p.ph;
  const std::int64_t x0 = t.x0 * S - p.pw + kMaxSpan<S>, x1 = x0 + kMaxColumns<S> * S;
  const std::int64_t bottom = y1 < p.ih ? y1 : p.ih, right = x1 < p.iw ? x1 : p.iw;
  for (std::int64_t y = y0 < 0 ? 0 : y0; y < bottom; ++y)
    for (std::int64_t x = x0; x < right; ++x)
      for (std::int64_t c = 0; c < p.channels; c += 16)
        __builtin_prefetch(p.src + (y * p.iw + x) * p.src_pixel + c, 0, 2);
}

template <int S>
void max3x3(const PoolImage& p) {
  constexpr int W = kMaxColumns<S>, span = kMaxSpan<S>;
  const std::int64_t height = walk_rows<S>(p);
  MaxTile t;
  t.columns = p.ow < W ? p.ow : W;
  for (t.y0 = p.row0; t.y0 < p.row1; t.y0 = t.y1) {
    t.y1 = t.y0 + height < p.row1 ? t.y0 + height : p.row1;
    for (std::int64_t x = 0; x < p.ow; x += W) {
      t.x0 = x + t.columns > p.ow ? p.ow - t.columns : x;
      if (p.streams) fetch_beside<S>(p, t);
      std::int64_t at[span];
      for (int u = 0; u < span; ++u) {
        const std::int64_t column = t.x0 * S - p.pw + u;
        at[u] = (column < 0 ? 0 : column >= p.iw ? p.iw - 1 : column) * p.src_pixel;
      }
      if (p.ow >= W && at[span - 2] - at[1] == (span - 3) * p.src_pixel)
        max3x3_tile<S>(p, t, SteppedColumns<S>(at, p.src_pixel));
      else
        max3x3_tile<S>(p, t, TableColumns<S>(at));
    }
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
