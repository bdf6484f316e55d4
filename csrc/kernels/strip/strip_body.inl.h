// Pieces of the strip kernels; contract in strip.h. Included inside a target region, after
// simd/<isa>.h, simd/opaque.inl.h and simd/column_steps.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Which lanes of a vector are channels. AVX-512 masks for nothing; elsewhere full vectors are apart.
struct AllLanes {
  PYCONV_INLINE vf read(const float* p) const { return load(p); }
  PYCONV_INLINE vf read_result(const float* p) const { return load(p); }
  PYCONV_INLINE void write(float* p, vf v) const { store(p, v); }
};
struct SomeLanes {
  vm src, dst;
  bool src_full, dst_full;
  PYCONV_INLINE SomeLanes(std::int64_t src_lanes, std::int64_t dst_lanes)
      : src(mask_first(src_lanes < VL ? static_cast<int>(src_lanes) : VL)),
        dst(mask_first(dst_lanes < VL ? static_cast<int>(dst_lanes) : VL)),
        src_full(VL != 16 && src_lanes >= VL), dst_full(VL != 16 && dst_lanes >= VL) {}
  PYCONV_INLINE vf read(const float* p) const { return src_full ? load(p) : load_tail(p, src); }
  PYCONV_INLINE vf read_result(const float* p) const {
    return dst_full ? load(p) : load_tail(p, dst);
  }
  PYCONV_INLINE void write(float* p, vf v) const {
    if (dst_full)
      store(p, v);
    else
      store_tail(p, v, dst);
  }
};

// How a tile reaches its pixels: lanes as above, columns of its filters' span as follows.
//   Border<l, r>  the first l and the last r of them are padding and left out, the others inside
//   Edge          taps [first, last), counted from the tile's first, are inside; the others are +0,
//                 or left out when `skip`
template <class Lanes, int L, int R>
struct Border : Lanes {
  static constexpr int left = L, right = R;
  static constexpr bool edge = false, skip = true;
  static constexpr std::int64_t first = 0, last = 0;
  explicit PYCONV_INLINE Border(const Lanes& lanes) : Lanes(lanes) {}
};
template <class Lanes>
struct Edge : Lanes {
  static constexpr int left = 0, right = 0;
  static constexpr bool edge = true;
  std::int64_t first, last;
  bool skip;
  // Of a tile whose first tap is `tap`, and which wants `wanted` of them.
  PYCONV_INLINE Edge(const Lanes& lanes, const ConvStrip& t, std::int64_t tap, std::int64_t wanted)
      : Lanes(lanes), first(t.first - tap), last(t.last - tap < wanted ? t.last - tap : wanted),
        skip(t.skip_padding) {}
};

// Bit u is set when begin <= u < end, for u < 32.
PYCONV_INLINE std::uint32_t bit_range(std::int64_t begin, std::int64_t end) {
  begin = begin < 0 ? 0 : begin > 32 ? 32 : begin;
  end = end < begin ? begin : end > 32 ? 32 : end;
  return static_cast<std::uint32_t>((std::uint64_t{1} << end) - (std::uint64_t{1} << begin));
}

// The pixels of one input row as a tile reaches them: where tap 0 lies, and which taps are inside.
struct StripRow {
  const float* src;  // null: nothing to add
  std::int64_t first, last;
  template <class B>
  PYCONV_INLINE StripRow(const ConvStrip& t, std::int64_t i, std::int64_t offset, const B& border)
      : src(t.rows[i]), first(border.first), last(border.last) {
    if (src) {
      src = opaque(src + offset);
    } else if (!border.skip) {
      src = t.dst;  // not read: no tap is inside
      last = first;
    }
  }
};

template <int R, int W>
PYCONV_INLINE void strip_begin(vf (&acc)[R][W], vf bias) {
#pragma GCC unroll 2
  for (int j = 0; j < R; ++j)
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q) acc[j][q] = bias;
}

constexpr float kNone = 0.0f;

// Finishes and stores W columns of output row `row`, from column q0 on. `t` is a copy of `strip`, whose
// bounds are read in place.
template <class B, int W>
PYCONV_INLINE void strip_end(vf (&acc)[W], const ConvStrip& t, const ConvStrip& strip,
                             std::int64_t row, std::int64_t q0, std::int64_t channel,
                             std::int64_t columns, const B& border) {
  const vf none = broadcast(opaque(&kNone));
#pragma GCC unroll 16
  for (int q = 0; q < W; ++q) acc[q] = add(acc[q], none);
  if (t.residual) {
    const float* residual = t.residual + row * t.residual_row + q0 * t.residual_col + channel;
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q, residual = opaque(residual + t.residual_col)) {
      if (B::edge && q >= columns) break;
      acc[q] = add(acc[q], border.read_result(residual));
    }
  }
  if (t.clamped) {
    const vf lo = broadcast(opaque(&strip.lo));
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q) acc[q] = max(lo, acc[q]);
    const vf hi = broadcast(opaque(&strip.hi));
#pragma GCC unroll 16
    for (int q = 0; q < W; ++q) acc[q] = min(hi, acc[q]);
  }
  float* dst = t.dst + row * t.dst_row + q0 * t.dst_col + channel;
#pragma GCC unroll 16
  for (int q = 0; q < W; ++q, dst += t.dst_col) {
    if (B::edge && q >= columns) break;
    border.write(dst, acc[q]);
  }
}

// All columns of a strip by the tiles of Body, W columns each. The last tile overlaps the one before
// rather than being narrow. Padding of half the filter's width (KW; 0: any) has tiles of its own.
// `whole`: the strip may be cut into tiles without an edge.
template <class Body, int W, int KW, int S, class Strip>
PYCONV_INLINE void strip_columns(const Strip& t, bool whole) {
  constexpr int half = KW / 2;
  const std::int64_t kw = KW > 0 ? KW : t.kw, stride = S > 0 ? S : t.stride;
  const bool plain = whole && (t.skip_padding || !t.padded_rows) && t.count >= W;
  const bool halves = half > 0 && plain && t.skip_padding;
  for (std::int64_t next = 0; next < t.count; next += W) {
    const std::int64_t q = plain && next + W > t.count ? t.count - W : next;
    const std::int64_t left = t.first - q * stride;
    const std::int64_t right = (q + W - 1) * stride + kw - t.last;
    if (plain && left <= 0 && right <= 0)
      Body::template tile<0, 0>(t, q);
    else if (halves && left == half && right <= 0)
      Body::template tile<half, 0>(t, q);
    else if (halves && left <= 0 && right == half)
      Body::template tile<0, half>(t, q);
    else if (halves && left == half && right == half)
      Body::template tile<half, half>(t, q);
    else
      Body::edge(t, q);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
