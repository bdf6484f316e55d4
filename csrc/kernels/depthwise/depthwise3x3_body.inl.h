// Body of the 3x3 micro-kernels of stride 1 that walk down a column of tiles: every input row is
// read once, and feeds the three output rows that are under way. Contract in depthwise.h. Included
// inside a target region, after kernels/strip/strip_body.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// One input row for W columns of up to three output rows: `top` takes filter row 0, `middle` 1 and
// `bottom` 2 where TOP, MIDDLE, BOTTOM say so.
template <bool TOP, bool MIDDLE, bool BOTTOM, class B, int W>
PYCONV_INLINE void depthwise3x3_row(vf (&top)[W], vf (&middle)[W], vf (&bottom)[W],
                                    const vf (&w)[3][3], const StripRow& row,
                                    const ColumnSteps& step, const B& border) {
  if (!row.src) return;
  const float* src = row.src;
  const std::uint32_t inside = bit_range(row.first, row.last);
#pragma GCC unroll 32
  for (int u = 0; u < W + 2 - B::right; ++u) {
    if (u > 0 && u % 8 == 0) src = opaque(src + 2 * step.one);
    if (u < B::left) continue;
    const float* at = step.at(src, u);
    vf v;
    if constexpr (!B::edge) {
      v = border.read(at);
    } else {
      if (border.skip && !(inside >> u & 1u)) continue;
      v = inside >> u & 1u ? border.read(at) : zero();
    }
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q) {
      const int s = u - q;
      if (s < 0 || s >= 3) continue;
      if (BOTTOM) fma_into(bottom[q], v, w[2][s]);
      if (MIDDLE) fma_into(middle[q], v, w[1][s]);
      if (TOP) fma_into(top[q], v, w[0][s]);
    }
  }
}

template <int W>
PYCONV_INLINE void assign(vf (&to)[W], const vf (&from)[W]) {
#pragma GCC unroll 16
  for (int q = 0; q < W; ++q) to[q] = from[q];
}

template <int W>
PYCONV_INLINE void assign(vf (&to)[W], vf from) {
#pragma GCC unroll 16
  for (int q = 0; q < W; ++q) to[q] = from;
}

// W columns of one block of channels, all output rows of the strip: output row o ends with input row
// o + 2.
template <int W, class B>
PYCONV_INLINE void depthwise3x3_down(const DepthwiseStrip& t, const DepthwiseStrip& strip,
                                     const float* weights, std::int64_t offset, std::int64_t q0,
                                     std::int64_t channel, std::int64_t columns,
                                     const ColumnSteps& step, const B& border) {
  vf w[3][3], top[W], middle[W], bottom[W];
#pragma GCC unroll 9
  for (int k = 0; k < 9; ++k) w[k / 3][k % 3] = load(weights + (1 + k) * VL);
  assign(bottom, load(weights));
  StripRow row(t, 0, offset, border);
  depthwise3x3_row<true, false, false>(bottom, bottom, bottom, w, row, step, border);
  assign(middle, load(weights));
  row = StripRow(t, 1, offset, border);
  if (t.out_rows > 1)
    depthwise3x3_row<true, true, false>(middle, bottom, bottom, w, row, step, border);
  else
    depthwise3x3_row<false, true, false>(bottom, bottom, bottom, w, row, step, border);
  std::int64_t i = 2;
  for (; i < t.out_rows; ++i) {
    row = StripRow(t, i, offset, border);
    assign(top, load(opaque(weights)));
    depthwise3x3_row<true, true, true>(top, middle, bottom, w, row, step, border);
    strip_end(bottom, t, strip, i - 2, q0, channel, columns, border);
    assign(bottom, middle);
    assign(middle, top);
  }
  row = StripRow(t, i, offset, border);
  if (t.out_rows > 1) {
    depthwise3x3_row<false, true, true>(bottom, middle, bottom, w, row, step, border);
    strip_end(bottom, t, strip, i - 2, q0, channel, columns, border);
    assign(bottom, middle);
    row = StripRow(t, i + 1, offset, border);
  }
  depthwise3x3_row<false, false, true>(bottom, bottom, bottom, w, row, step, border);
  strip_end(bottom, t, strip, t.out_rows - 1, q0, channel, columns, border);
}

template <int W, class B>
PYCONV_INLINE void depthwise3x3_blocks(const DepthwiseStrip& strip, std::int64_t q0,
                                       std::int64_t columns, const B& border) {
  const DepthwiseStrip t = strip;  // a copy that no store can be thought to change
  const std::int64_t last_block = t.channels > VL ? t.channels - VL : 0;
  const ColumnSteps step(t.src_step);
  const float* weights = t.weights;
  for (std::int64_t c = 0; c < t.channels; c += VL, weights += 10 * VL) {
    const std::int64_t channel = c < last_block ? c : last_block;
    depthwise3x3_down<W>(t, strip, weights, t.origin + q0 * t.src_step + channel, q0, channel,
                         columns, step, border);
  }
}

template <int W>
struct Depthwise3x3Tile {
  template <int LEFT, int RIGHT>
  static void tile(const DepthwiseStrip& t, std::int64_t q0) {
    depthwise3x3_blocks<W>(t, q0, W, Border<AllLanes, LEFT, RIGHT>(AllLanes()));
  }
  static void edge(const DepthwiseStrip& t, std::int64_t q0) {
    const std::int64_t columns = t.count - q0 < W ? t.count - q0 : W;
    const SomeLanes lanes(t.channels, t.channels);
    depthwise3x3_blocks<W>(t, q0, columns, Edge<SomeLanes>(lanes, t, q0, columns + 2));
  }
};

template <int W>
void depthwise3x3_strip(const DepthwiseStrip& t) {
  strip_columns<Depthwise3x3Tile<W>, W, 3, 1>(t, t.channels >= VL);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
