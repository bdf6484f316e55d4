// Generic body of the depthwise micro-kernels; contract in depthwise.h. Included inside a target
// region, after simd/<isa>.h and simd/opaque.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// What an edge tile may read: taps [first, last), counted from the tile's first tap, and lanes.
struct DepthwiseEdge {
  std::int64_t first, last;
  bool skip, masked;
  vm lanes;
};

// Bit u is set when begin <= u < end, for u < 32.
PYCONV_INLINE std::uint32_t bit_range(std::int64_t begin, std::int64_t end) {
  begin = begin < 0 ? 0 : begin > 32 ? 32 : begin;
  end = end < begin ? begin : end > 32 ? 32 : end;
  return static_cast<std::uint32_t>((std::uint64_t{1} << end) - (std::uint64_t{1} << begin));
}

// CH taps of one input row, for W columns of the output rows J0 .. J1. `weights` belongs to output
// row 0; those of row j lie j * w_row floats before. Bit u of `inside`: tap u is in the image.
template <int J0, int J1, int CH, int S, bool EDGE, int R, int W>
PYCONV_INLINE void depthwise_row(vf (&acc)[R][W], const float* src, std::int64_t src_step,
                                 const float* weights, std::int64_t w_row,
                                 const DepthwiseEdge& edge, std::uint32_t inside) {
  vf w[R][CH];
#pragma GCC unroll 2
  for (int j = J0; j <= J1; ++j)
#pragma GCC unroll 16
    for (int s = 0; s < CH; ++s) w[j][s] = load(weights - j * w_row + s * VL);
#pragma GCC unroll 32
  for (int u = 0; u < (W - 1) * S + CH; ++u, src += src_step) {
    src = opaque(src);
    vf v;
    if (!EDGE) {
      v = load(src);
    } else if (inside >> u & 1u) {
      v = edge.masked ? load_tail(src, edge.lanes) : load(src);
    } else {
      if (edge.skip) continue;
      v = zero();
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

// All taps of input row i: at once where KW says how many, else four by four (stride S), then one by
// one.
template <int J0, int J1, int KW, int S, bool EDGE, int R, int W>
PYCONV_INLINE void depthwise_taps(vf (&acc)[R][W], const DepthwiseStrip& t, std::int64_t i,
                                  std::int64_t offset, const float* weights,
                                  const DepthwiseEdge& edge) {
  const float* src = t.rows[i];
  std::int64_t first = edge.first, last = edge.last;
  if (src) {
    src += offset;
  } else {
    if (!EDGE || edge.skip) return;
    src = weights;
    last = first;
  }
  if constexpr (KW > 0) {
    weights += i * KW * VL;
    depthwise_row<J0, J1, KW, S, EDGE>(acc, src, t.src_step, weights, KW * VL, edge,
                                       EDGE ? bit_range(first, last) : 0);
  } else {
    weights += i * t.kw * VL;
    std::int64_t s = 0;
    if constexpr (S > 0) {
      for (; s + 4 <= t.kw; s += 4, src += 4 * t.src_step, weights += 4 * VL)
        depthwise_row<J0, J1, 4, S, EDGE>(acc, src, t.src_step, weights, t.kw * VL, edge,
                                          EDGE ? bit_range(first - s, last - s) : 0);
    }
    for (; s < t.kw; ++s, src += t.src_step, weights += VL) {
      std::int64_t begin = 0, end = 0;
      if (EDGE) {  // column q is tap s + q * stride
        if (first > s) begin = (first - s + t.stride - 1) / t.stride;
        if (last > s) end = (last - s + t.stride - 1) / t.stride;
      }
      depthwise_row<J0, J1, 1, 1, EDGE>(acc, src, t.src_step * t.stride, weights, t.kw * VL, edge,
                                        bit_range(begin, end));
    }
  }
}

template <bool EDGE, int R, int W>
PYCONV_INLINE void depthwise_end(const vf (&acc)[R][W], const DepthwiseStrip& t, std::int64_t at,
                                 std::int64_t columns, const DepthwiseEdge& edge) {
  const vf lo = set1(t.lo), hi = set1(t.hi), none = zero();
#pragma GCC unroll 2
  for (int j = 0; j < R; ++j, at += t.dst_row) {
    float* dst = t.dst + at;
    const float* residual = t.residual ? t.residual + at : nullptr;
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q, dst += t.dst_col) {
      if (EDGE && q >= columns) break;
      const bool masked = EDGE && edge.masked;
      vf v = add(acc[j][q], none);
      if (residual) {
        v = add(v, masked ? load_tail(residual, edge.lanes) : load(residual));
        residual += t.dst_col;
      }
      v = min(hi, max(lo, v));
      if (masked)
        store_tail(dst, v, edge.lanes);
      else
        store(dst, v);
    }
  }
}

// Columns q0 .. q0 + W - 1 (fewer at the end of the strip when EDGE) of R rows, all channels.
template <int R, int W, int KW, int S, bool EDGE>
void depthwise_tile(const DepthwiseStrip& t, std::int64_t q0) {
  const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
  const std::int64_t columns = t.count - q0 < W ? t.count - q0 : W;
  const std::int64_t last_block = t.channels > VL ? t.channels - VL : 0;
  const std::int64_t wanted = (columns - 1) * stride + kw, inside = t.last - q0 * stride;
  const bool masked = t.channels < VL;
  const DepthwiseEdge edge{t.first - q0 * stride, inside < wanted ? inside : wanted, t.skip_padding,
                           masked, mask_first(masked ? static_cast<int>(t.channels) : VL)};
  const float* weights = t.weights;
  for (std::int64_t c = 0; c < t.channels; c += VL) {
    const std::int64_t channel = c < last_block ? c : last_block;
    const std::int64_t offset = t.origin + q0 * stride * t.src_step + channel;
    vf acc[R][W];
    const vf bias = load(weights);
    weights += VL;
#pragma GCC unroll 2
    for (int j = 0; j < R; ++j)
#pragma GCC unroll 16
      for (int q = 0; q < W; ++q) acc[j][q] = bias;
    if constexpr (R == 1) {
      for (std::int64_t i = 0; i < t.kh; ++i)
        depthwise_taps<0, 0, KW, S, EDGE>(acc, t, i, offset, weights, edge);
    } else {
      depthwise_taps<0, 0, KW, S, EDGE>(acc, t, 0, offset, weights, edge);
      for (std::int64_t i = 1; i < t.kh; ++i)
        depthwise_taps<0, 1, KW, S, EDGE>(acc, t, i, offset, weights, edge);
      depthwise_taps<1, 1, KW, S, EDGE>(acc, t, t.kh, offset, weights, edge);
    }
    depthwise_end<EDGE>(acc, t, q0 * t.dst_col + channel, columns, edge);
    weights += t.kh * kw * VL;
  }
}

// KW = 0: filters of any width. S = 0: any stride.
template <int R, int W, int KW, int S>
void depthwise_strip(const DepthwiseStrip& t) {
  const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
  const bool plain = t.channels >= VL && (t.skip_padding || !t.padded_rows);
  for (std::int64_t q = 0; q < t.count; q += W) {
    const bool inside = q * stride >= t.first && (q + W - 1) * stride + kw <= t.last;
    if (plain && inside && q + W <= t.count)
      depthwise_tile<R, W, KW, S, false>(t, q);
    else
      depthwise_tile<R, W, KW, S, true>(t, q);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
