// Generic body of the depthwise micro-kernels; contract in depthwise.h. Included inside a target
// region, after simd/<isa>.h and simd/opaque.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Column u of a row lies u * step bytes on. Odd multiples of the step are kept, the rest are scales
// of an address; every eight columns the base moves on.
struct ColumnSteps {
  std::int64_t one, three, five, seven;
  explicit PYCONV_INLINE ColumnSteps(std::int64_t floats)
      : one(opaque(4 * floats)), three(opaque(12 * floats)), five(opaque(20 * floats)),
        seven(opaque(28 * floats)) {}
  PYCONV_INLINE const float* at(const float* base, int u) const {
    const char* p = reinterpret_cast<const char*>(base);
    switch (u & 7) {
      case 1: p += one; break;
      case 2: p += 2 * one; break;
      case 3: p += three; break;
      case 4: p += 4 * one; break;
      case 5: p += five; break;
      case 6: p += 2 * three; break;
      case 7: p += seven; break;
    }
    return reinterpret_cast<const float*>(p);
  }
};

// How a tile treats the columns of its filter's span that may lie outside the image.
//   Border<l, r>  the first l and the last r of them are padding and left out, the others inside
//   Edge          any may be outside (bit u of `inside` says), any lanes missing
template <int L, int R>
struct Border {
  static constexpr int left = L, right = R;
  static constexpr bool edge = false;
};
struct Edge {
  static constexpr int left = 0, right = 0;
  static constexpr bool edge = true;
  std::int64_t first, last;  // taps inside the image, counted from the tile's first tap
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
      v = load(at);
    } else if (inside >> u & 1u) {
      v = border.masked ? load_tail(at, border.lanes) : load(at);
    } else {
      if (border.skip) continue;
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

// A row of taps whose number or stride is known at run time: chunks of four and a rest where the
// stride S is known, else one by one.
template <int J0, int J1, int S, class B, int R, int W>
PYCONV_INLINE void depthwise_any_row(vf (&acc)[R][W], const DepthwiseStrip& t, const float* src,
                                     const ColumnSteps& step, const float* weights, const B& border,
                                     std::int64_t first, std::int64_t last) {
  const std::int64_t w_row = t.kw * VL;
  std::int64_t s = 0;
  if constexpr (S > 0) {
    for (; s + 4 <= t.kw; s += 4, src += step.one, weights += 4 * VL)
      depthwise_row<J0, J1, 4, S>(acc, src, step, weights, w_row, border,
                                  bit_range(first - s, last - s));
    const std::uint32_t inside = bit_range(first - s, last - s);
    if (t.kw - s == 3) depthwise_row<J0, J1, 3, S>(acc, src, step, weights, w_row, border, inside);
    if (t.kw - s == 2) depthwise_row<J0, J1, 2, S>(acc, src, step, weights, w_row, border, inside);
    if (t.kw - s == 1) depthwise_row<J0, J1, 1, S>(acc, src, step, weights, w_row, border, inside);
    return;
  }
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

// All taps of input row i for output rows J0 .. J1, which lie SH input rows apart.
template <int J0, int J1, int KW, int S, int SH, class B, int R, int W>
PYCONV_INLINE void depthwise_taps(vf (&acc)[R][W], const DepthwiseStrip& t, std::int64_t i,
                                  std::int64_t offset, const float* weights,
                                  const ColumnSteps& step, const B& border) {
  const float* src = t.rows[i];
  std::int64_t first = 0, last = 0;
  if constexpr (B::edge) {
    if (!src && border.skip) return;
    first = border.first;
    last = src ? border.last : first;
    src = src ? src + offset : weights;
  } else {
    if (!src) return;
    src = opaque(src + offset);
  }
  if constexpr (KW > 0)
    depthwise_row<J0, J1, KW, S>(acc, src, step, weights + i * KW * VL, SH * KW * VL, border,
                                 bit_range(first, last));
  else
    depthwise_any_row<J0, J1, S>(acc, t, src, step, weights + i * t.kw * VL, border, first, last);
}

constexpr float kNone = 0.0f;

// `t` is a copy of `strip`, whose bounds are read in place.
template <class B, int R, int W>
PYCONV_INLINE void depthwise_end(vf (&acc)[R][W], const DepthwiseStrip& t,
                                 const DepthwiseStrip& strip, std::int64_t at,
                                 std::int64_t columns, const B& border) {
  const vf none = broadcast(opaque(&kNone));
#pragma GCC unroll 2
  for (int j = 0; j < R; ++j)
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q) acc[j][q] = add(acc[j][q], none);
  if (t.residual) {
#pragma GCC unroll 2
    for (int j = 0; j < R; ++j) {
      const float* residual = t.residual + at + j * t.dst_row;
#pragma GCC unroll 16
      for (int q = 0; q < W; ++q, residual = opaque(residual + t.dst_col)) {
        if constexpr (!B::edge) {
          acc[j][q] = add(acc[j][q], load(residual));
        } else if (q < columns) {
          acc[j][q] = add(acc[j][q], load_tail(residual, border.lanes));
        }
      }
    }
  }
  if (t.clamped) {
    const vf lo = broadcast(opaque(&strip.lo)), hi = broadcast(opaque(&strip.hi));
#pragma GCC unroll 2
    for (int j = 0; j < R; ++j)
#pragma GCC unroll 16
      for (int q = 0; q < W; ++q) acc[j][q] = min(hi, max(lo, acc[j][q]));
  }
#pragma GCC unroll 2
  for (int j = 0; j < R; ++j) {
    float* dst = t.dst + at + j * t.dst_row;
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q, dst += t.dst_col) {
      if constexpr (!B::edge) {
        store(dst, acc[j][q]);
      } else if (q < columns) {
        if (border.masked)
          store_tail(dst, acc[j][q], border.lanes);
        else
          store(dst, acc[j][q]);
      }
    }
  }
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
    const vf bias = load(weights);
    weights += VL;
#pragma GCC unroll 2
    for (int j = 0; j < R; ++j)
#pragma GCC unroll 16
      for (int q = 0; q < W; ++q) acc[j][q] = bias;
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
    depthwise_end(acc, t, strip, q0 * t.dst_col + channel, columns, border);
    weights += kh * kw * VL;
  }
}

template <int R, int W, int KH, int KW, int S, int LEFT, int RIGHT>
void depthwise_tile(const DepthwiseStrip& t, std::int64_t q0) {
  depthwise_blocks<R, W, KH, KW, S>(t, q0, W, Border<LEFT, RIGHT>{});
}

template <int R, int W, int KH, int KW, int S>
void depthwise_edge(const DepthwiseStrip& t, std::int64_t q0) {
  const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
  const std::int64_t columns = t.count - q0 < W ? t.count - q0 : W;
  const std::int64_t wanted = (columns - 1) * stride + kw, inside = t.last - q0 * stride;
  const bool masked = t.channels < VL;
  const Edge edge{t.first - q0 * stride, inside < wanted ? inside : wanted, t.skip_padding, masked,
                  mask_first(masked ? static_cast<int>(t.channels) : VL)};
  depthwise_blocks<R, W, KH, KW, S>(t, q0, columns, edge);
}

// KH, KW = 0: filters of any height, width. S = 0: any stride. The last tile of the strip overlaps
// the one before rather than being narrow. Padding of half the filter's width has tiles of its own.
template <int R, int W, int KH, int KW, int S>
void depthwise_strip(const DepthwiseStrip& t) {
  constexpr int half = KW / 2;
  const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
  const bool plain = t.channels >= VL && (t.skip_padding || !t.padded_rows) && t.count >= W;
  for (std::int64_t next = 0; next < t.count; next += W) {
    const std::int64_t q = plain && next + W > t.count ? t.count - W : next;
    const std::int64_t left = t.first - q * stride;
    const std::int64_t right = (q + W - 1) * stride + kw - t.last;
    if (plain && left <= 0 && right <= 0)
      depthwise_tile<R, W, KH, KW, S, 0, 0>(t, q);
    else if (half > 0 && plain && t.skip_padding && left == half && right <= 0)
      depthwise_tile<R, W, KH, KW, S, half, 0>(t, q);
    else if (half > 0 && plain && t.skip_padding && left <= 0 && right == half)
      depthwise_tile<R, W, KH, KW, S, 0, half>(t, q);
    else if (half > 0 && plain && t.skip_padding && left == half && right == half)
      depthwise_tile<R, W, KH, KW, S, half, half>(t, q);
    else
      depthwise_edge<R, W, KH, KW, S>(t, q);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
