// Generic body of the grouped micro-kernels; contract in grouped.h. Included inside a target region,
// after kernels/strip/strip_body.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// KW taps of one input row for the output rows J0 .. J1: a pixel is loaded once, permuted once per
// channel, and feeds all its outputs. `weights` belongs to output row 0; those of row 1 lie one
// filter row before.
template <int J0, int J1, int KW, int S, class B, int R, int W>
PYCONV_INLINE void grouped_row(vf (&acc)[R][W], const GroupedStrip& t, const float* src,
                               const ColumnSteps& step, const float* weights, const B& border,
                               std::uint32_t inside) {
  const std::int64_t tap = t.icg * VL;
#pragma GCC unroll 32
  for (int u = 0; u < (W - 1) * S + KW - B::right; ++u) {
    if (u > 0 && u % 8 == 0) src = opaque(src + 2 * step.one);
    if (u < B::left) continue;
    if (B::edge && border.skip && !(inside >> u & 1u)) continue;
    const float* at = step.at(src, u);
    const vf pixel = !B::edge || inside >> u & 1u ? border.read(at) : zero();
    const float* w = opaque(weights);
    const std::int32_t* lanes = t.lanes;
    for (std::int64_t c = 0; c < t.icg; ++c, w += VL, lanes += VL) {
      const vf v = permute(pixel, iload(lanes));
#pragma GCC unroll 16
      for (int q = 0; q < W; ++q) {
        const int s = u - q * S;
        if (s < 0 || s >= KW) continue;
#pragma GCC unroll 2
        for (int j = J0; j <= J1; ++j) fma_load(acc[j][q], v, w + (s - j * KW) * tap);
      }
    }
  }
}

// A row of taps whose number or stride is known at run time, one by one: W pixels at a time, each
// permuted for one output.
template <class B, int W>
PYCONV_INLINE void grouped_any_row(vf (&acc)[1][W], const GroupedStrip& t, const StripRow& row,
                                   const float* weights, const B& border) {
  const float* src = row.src;
  const ColumnSteps apart(t.src_step * t.stride);
  for (std::int64_t s = 0; s < t.kw; ++s, src += t.src_step) {
    vf pixel[W];
    const float* base = src;
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q) {
      if (q > 0 && q % 8 == 0) base = opaque(base + 2 * apart.one);
      const std::int64_t u = s + q * t.stride;
      const bool inside = !B::edge || (u >= row.first && u < row.last);
      pixel[q] = inside ? border.read(apart.at(base, q)) : zero();
    }
    const std::int32_t* lanes = t.lanes;
    for (std::int64_t c = 0; c < t.icg; ++c, weights += VL, lanes += VL) {
      const vf w = load(weights);
      const vi channel = iload(lanes);
#pragma GCC unroll 16
      for (int q = 0; q < W; ++q) fma_into(acc[0][q], permute(pixel[q], channel), w);
    }
  }
}

template <int J0, int J1, int KW, int S, class B, int R, int W>
PYCONV_INLINE void grouped_taps(vf (&acc)[R][W], const GroupedStrip& t, std::int64_t i,
                                std::int64_t offset, const float* weights, const ColumnSteps& step,
                                const B& border) {
  const StripRow row(t, i, offset, border);
  if (!row.src) return;
  weights += i * (KW > 0 ? KW : t.kw) * t.icg * VL;
  if constexpr (KW > 0)
    grouped_row<J0, J1, KW, S>(acc, t, row.src, step, weights, border,
                               bit_range(row.first, row.last));
  else
    grouped_any_row(acc, t, row, weights, border);
}

// W columns from q0 on (`columns` of them at an edge) of R rows, all groups. Border: how the tile's
// columns are reached, made of the block's lanes.
template <int R, int W, int KW, int S, class MakeBorder>
PYCONV_INLINE void grouped_blocks(const GroupedStrip& strip, std::int64_t q0, std::int64_t columns,
                                  const MakeBorder& make_border) {
  const GroupedStrip t = strip;  // a copy that no store can be thought to change
  const std::int64_t kw = KW > 0 ? KW : t.kw;
  const ColumnSteps step(t.src_step);
  const float* weights = t.weights;
  for (std::int64_t next = 0; next < t.groups; next += t.block_groups) {
    const std::int64_t rest = t.groups - t.block_groups, group = next < rest ? next : rest;
    const std::int64_t left = t.groups - group;
    const auto border = make_border(SomeLanes(left * t.icg, left * t.ocg));
    const std::int64_t offset =
        t.origin + q0 * (S > 0 ? S : t.stride) * t.src_step + group * t.icg;
    vf acc[R][W];
    strip_begin(acc, load(weights));
    weights += VL;
    grouped_taps<0, 0, KW, S>(acc, t, 0, offset, weights, step, border);
    for (std::int64_t i = 1; i < t.kh; ++i)
      grouped_taps<0, R - 1, KW, S>(acc, t, i, offset, weights, step, border);
    if constexpr (R == 2) grouped_taps<1, 1, KW, S>(acc, t, t.kh, offset, weights, step, border);
    strip_end(acc[0], t, strip, 0, q0, group * t.ocg, columns, border);
    if constexpr (R == 2) strip_end(acc[1], t, strip, 1, q0, group * t.ocg, columns, border);
    weights += t.kh * kw * t.icg * VL;
  }
}

template <int LEFT, int RIGHT>
struct MakeBorder {
  PYCONV_INLINE Border<SomeLanes, LEFT, RIGHT> operator()(const SomeLanes& lanes) const {
    return Border<SomeLanes, LEFT, RIGHT>(lanes);
  }
};
struct MakeEdge {
  const ConvStrip& t;
  std::int64_t tap, wanted;
  PYCONV_INLINE Edge<SomeLanes> operator()(const SomeLanes& lanes) const {
    return Edge<SomeLanes>(lanes, t, tap, wanted);
  }
};

// KW = 0: filters of any width and any stride.
template <int R, int W, int KW, int S>
struct GroupedTile {
  template <int LEFT, int RIGHT>
  static void tile(const GroupedStrip& t, std::int64_t q0) {
    grouped_blocks<R, W, KW, S>(t, q0, W, MakeBorder<LEFT, RIGHT>());
  }
  static void edge(const GroupedStrip& t, std::int64_t q0) {
    const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
    const std::int64_t columns = t.count - q0 < W ? t.count - q0 : W;
    grouped_blocks<R, W, KW, S>(t, q0, columns,
                                MakeEdge{t, q0 * stride, (columns - 1) * stride + kw});
  }
};

template <int R, int W, int KW, int S>
void grouped_strip(const GroupedStrip& t) {
  strip_columns<GroupedTile<R, W, KW, S>, W, KW, S>(t, true);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
