// Generic body of the depthwise micro-kernels; contract in depthwise.h. Included inside a target
// region, after kernels/strip/strip_body.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// CH taps of one input row, for W columns of the output rows J0 .. J1. `weights` belongs to output
// row 0; those of row j lie j * w_row floats before.
template <int J0, int J1, int CH, int S, class B, int R, int W>
PYCONV_INLINE void depthwise_row(vf (&acc)[R][W], const float* src, const ColumnSteps& step,
                                 const float* weights, std::int64_t w_row, const B& border,
                                 std::uint32_t inside) {
  vf w[R][CH];
#pragma GCC unroll 2
  for (int j = J0; j <= J1; ++j)
#pragma GCC unroll 16
    for (int s = 0; s < CH; ++s) w[j][s] = load(weights - j * w_row + s * VL);
  constexpr int span = (W - 1) * S + CH;
#pragma GCC unroll 32
  for (int u = 0; u < span - B::right; ++u) {
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
      const int s = u - q * S;
      if (s < 0 || s >= CH) continue;
#pragma GCC unroll 2
      for (int j = J0; j <= J1; ++j) fma_into(acc[j][q], v, w[j][s]);
    }
  }
}

// A row of taps whose number or stride is known at run time: chunks of four and a rest where the
// stride S is known, else one by one.
template <int J0, int J1, int S, class B, int R, int W>
PYCONV_INLINE void depthwise_any_row(vf (&acc)[R][W], const DepthwiseStrip& t, const StripRow& row,
                                     const ColumnSteps& step, const float* weights,
                                     const B& border) {
  const std::int64_t w_row = t.kw * VL, first = row.first, last = row.last;
  const float* src = row.src;
  std::int64_t s = 0;
  if constexpr (S > 0) {
    for (; s + 4 <= t.kw; s += 4, src += 4 * t.src_step, weights += 4 * VL)
      depthwise_row<J0, J1, 4, S>(acc, src, step, weights, w_row, border,
                                  bit_range(first - s, last - s));
    const std::uint32_t in = bit_range(first - s, last - s);
    if (t.kw - s == 3) depthwise_row<J0, J1, 3, S>(acc, src, step, weights, w_row, border, in);
    if (t.kw - s == 2) depthwise_row<J0, J1, 2, S>(acc, src, step, weights, w_row, border, in);
    if (t.kw - s == 1) depthwise_row<J0, J1, 1, S>(acc, src, step, weights, w_row, border, in);
  } else {
    const ColumnSteps apart(t.src_step * t.stride);
    for (; s < t.kw; ++s, src += t.src_step, weights += VL) {
      std::int64_t begin = 0, end = 0;
      if (B::edge) {  // column q is tap s + q * stride
        if (first > s) begin = (first - s + t.stride - 1) / t.stride;
        if (last > s) end = (last - s + t.stride - 1) / t.stride;
      }
      depthwise_row<J0, J1, 1, 1>(acc, src, apart, weights, w_row, border, bit_range(begin, end));
    }
  }
}

// All taps of input row i for output rows J0 .. J1, which lie SH input rows apart.
template <int J0, int J1, int KW, int S, int SH, class B, int R, int W>
PYCONV_INLINE void depthwise_taps(vf (&acc)[R][W], const DepthwiseStrip& t, std::int64_t i,
                                  std::int64_t offset, const float* weights,
                                  const ColumnSteps& step, const B& border) {
  const StripRow row(t, i, offset, border);
  if (!row.src) return;
  if constexpr (KW > 0)
    depthwise_row<J0, J1, KW, S>(acc, row.src, step, weights + i * KW * VL, SH * KW * VL, border,
                                 bit_range(row.first, row.last));
  else
    depthwise_any_row<J0, J1, S>(acc, t, row, step, weights + i * t.kw * VL, border);
}

// Input row i feeds the output rows J0 .. J1 of two that lie SH apart, for a filter of KH rows.
template <int KH, int KW, int S, int SH, int i, class B, int R, int W>
PYCONV_INLINE void depthwise_fixed_rows(vf (&acc)[R][W], const DepthwiseStrip& t,
                                        std::int64_t offset, const float* weights,
                                        const ColumnSteps& step, const B& border) {
  constexpr int J0 = i < KH ? 0 : 1, J1 = R > 1 && i >= SH ? 1 : 0;
  if constexpr (J0 <= J1)
    depthwise_taps<J0, J1, KW, S, SH>(acc, t, i, offset, weights, step, border);
  if constexpr (i + 1 < KH + (R - 1) * SH)
    depthwise_fixed_rows<KH, KW, S, SH, i + 1>(acc, t, offset, weights, step, border);
}

// W columns from q0 on (`columns` of them at an Edge) of R rows, all channels. KH = 0: any height.
// The output rows are S input rows apart.
template <int R, int W, int KH, int KW, int S, class B>
PYCONV_INLINE void depthwise_blocks(const DepthwiseStrip& strip, std::int64_t q0,
                                    std::int64_t columns, const B& border) {
  const DepthwiseStrip t = strip;  // a copy that no store can be thought to change
  const std::int64_t kh = KH > 0 ? KH : t.kh, kw = KW > 0 ? KW : t.kw;
  const std::int64_t last_block = t.channels > VL ? t.channels - VL : 0;
  const ColumnSteps step(t.src_step);
  const float* weights = t.weights;
  for (std::int64_t c = 0; c < t.channels; c += VL) {
    const std::int64_t channel = c < last_block ? c : last_block;
    const std::int64_t offset = t.origin + q0 * (S > 0 ? S : t.stride) * t.src_step + channel;
    vf acc[R][W];
    strip_begin(acc, load(weights));
    weights += VL;
    if constexpr (KH > 0) {
      depthwise_fixed_rows<KH, KW, S, S, 0>(acc, t, offset, weights, step, border);
    } else if constexpr (R == 1) {
      for (std::int64_t i = 0; i < kh; ++i)
        depthwise_taps<0, 0, KW, S, 1>(acc, t, i, offset, weights, step, border);
    } else {
      static_assert(S == 1, "rows of filters of any height are shared at stride 1 only");
      depthwise_taps<0, 0, KW, S, 1>(acc, t, 0, offset, weights, step, border);
      for (std::int64_t i = 1; i < kh; ++i)
        depthwise_taps<0, 1, KW, S, 1>(acc, t, i, offset, weights, step, border);
      depthwise_taps<1, 1, KW, S, 1>(acc, t, kh, offset, weights, step, border);
    }
    strip_end(acc[0], t, strip, 0, q0, channel, columns, border);
    if constexpr (R == 2) strip_end(acc[1], t, strip, 1, q0, channel, columns, border);
    weights += kh * kw * VL;
  }
}

// KH, KW = 0: filters of any height, width. S = 0: any stride.
template <int R, int W, int KH, int KW, int S>
struct DepthwiseTile {
  template <int LEFT, int RIGHT>
  static void tile(const DepthwiseStrip& t, std::int64_t q0) {
    depthwise_blocks<R, W, KH, KW, S>(t, q0, W, Border<AllLanes, LEFT, RIGHT>(AllLanes()));
  }
  static void edge(const DepthwiseStrip& t, std::int64_t q0) {
    const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
    const std::int64_t columns = t.count - q0 < W ? t.count - q0 : W;
    const SomeLanes lanes(t.channels, t.channels);
    const Edge<SomeLanes> border(lanes, t, q0 * stride, (columns - 1) * stride + kw);
    depthwise_blocks<R, W, KH, KW, S>(t, q0, columns, border);
  }
};

template <int R, int W, int KH, int KW, int S>
void depthwise_strip(const DepthwiseStrip& t) {
  strip_columns<DepthwiseTile<R, W, KH, KW, S>, W, KW, S>(t, t.channels >= VL);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
