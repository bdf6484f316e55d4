// 24 columns: one vector and a half. Of two neighbouring rows the halves share a vector, row 2i in the
// lower lanes and row 2i + 1 in the upper: three FMAs for two rows, where two whole vectors would take
// four. An odd last row stands in both halves. Contract in gemm.h; after tile_output.inl.h.
//
// 12 rows: 12 + 6 accumulators, 2 weights, 3 broadcasts. Per k 18 FMAs take 9 cycles, 14 loads 7, and
// six blends go to the other pipes.
namespace pyconv {
namespace avx512 {
namespace {

constexpr int kHalf = 8;
constexpr vm kUpper = 0xff00;

PYCONV_INLINE vf load_half(const float* p) {
  return _mm512_broadcast_f32x8(_mm256_loadu_ps(p));
}
PYCONV_INLINE vf both(vf low, vf high) { return _mm512_mask_blend_ps(kUpper, low, high); }

// The halves of two rows from or to memory, masked by how many columns are valid.
struct Halves {
  vm low, high;
  explicit PYCONV_INLINE Halves(int columns)
      : low(mask_first(columns - VL)), high(static_cast<vm>(low << kHalf)) {}
  PYCONV_INLINE vf get(const float* row0, const float* row1) const {
    return _mm512_mask_loadu_ps(load_tail(row0 + VL, low), high, row1 + VL - kHalf);
  }
  PYCONV_INLINE void put(float* row0, float* row1, vf v) const {
    store_tail(row0 + VL, v, low);
    store_tail(row1 + VL - kHalf, v, high);
  }
};

template <int MR>
struct Tile24 {
  static constexpr int kPairs = (MR + 1) / 2;
  vf whole[MR], pair[kPairs];

  static PYCONV_INLINE int second(int i) { return 2 * i + 1 < MR ? 2 * i + 1 : 2 * i; }

  PYCONV_INLINE void begin(const TileOutput& out, const Halves& halves) {
    if (out.first) {
      const vf bias = load(out.bias), half = load_half(out.bias + VL);
#pragma GCC unroll 12
      for (int i = 0; i < MR; ++i) {
        if (out.fetch_dst) {
          __builtin_prefetch(out.dst + i * out.dst_stride, 1, 3);
          __builtin_prefetch(out.dst + i * out.dst_stride + VL + kHalf - 1, 1, 3);
        }
        whole[i] = bias;
      }
#pragma GCC unroll 6
      for (int i = 0; i < kPairs; ++i) pair[i] = half;
      return;
    }
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) whole[i] = load(out.dst + i * out.dst_stride);
#pragma GCC unroll 6
    for (int i = 0; i < kPairs; ++i)
      pair[i] = halves.get(out.dst + 2 * i * out.dst_stride, out.dst + second(i) * out.dst_stride);
  }

  PYCONV_INLINE void step(const float* const (&a)[MR], std::int64_t c, const float* b) {
    const vf weights = load(b), half = load_half(b + VL);
#pragma GCC unroll 6
    for (int i = 0; i < kPairs; ++i) {
      const vf low = broadcast(a[2 * i] + c);
      fma_into(whole[2 * i], low, weights);
      if (2 * i + 1 < MR) {
        const vf high = broadcast(a[2 * i + 1] + c);
        fma_into(whole[second(i)], high, weights);
        fma_into(pair[i], both(low, high), half);
      } else {
        fma_into(pair[i], low, half);
      }
    }
  }

  template <class F>
  PYCONV_INLINE void each(const F& f) {
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) whole[i] = f.apply(whole[i]);
#pragma GCC unroll 6
    for (int i = 0; i < kPairs; ++i) pair[i] = f.apply(pair[i]);
  }

  PYCONV_INLINE void end(const TileOutput& out, const Halves& halves) {
    if (out.last) {
      if (out.plus_zero) each(PlusZero());
      if (out.residual) add_residual(out, halves);
      if (out.clamped) each(Clamp{set1(out.lo), set1(out.hi)});
    }
#pragma GCC unroll 6
    for (int i = 0; i < kPairs; ++i) {
      float *row0 = out.dst + 2 * i * out.dst_stride, *row1 = out.dst + second(i) * out.dst_stride;
      store(row0, whole[2 * i]);
      if (2 * i + 1 < MR) store(row1, whole[second(i)]);
      halves.put(row0, row1, pair[i]);
    }
  }

 private:
  struct PlusZero {
    PYCONV_INLINE vf apply(vf v) const { return add(v, zero()); }
  };
  struct Clamp {
    vf lo, hi;
    PYCONV_INLINE vf apply(vf v) const { return min(hi, max(lo, v)); }
  };
  PYCONV_INLINE void add_residual(const TileOutput& out, const Halves& halves) {
    const std::int64_t stride = out.residual_stride;
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) whole[i] = add(whole[i], load(out.residual + i * stride));
#pragma GCC unroll 6
    for (int i = 0; i < kPairs; ++i)
      pair[i] = add(pair[i], halves.get(out.residual + 2 * i * stride, out.residual + second(i) * stride));
  }
};

template <int MR>
__attribute__((noinline)) void gemm_tile_24(const GemmTiles& tiles, const float* const* rows,
                                            const TileOutput& out, const char* prefetch) {
  constexpr int NR = VL + kHalf;
  const std::int64_t depth = tiles.depth;
  const int prefetch_lines = tiles.prefetch_lines;
  const Halves halves(out.columns);
  Tile24<MR> tile;
  tile.begin(out, halves);
  const float* b = tiles.panel;
  for (std::int64_t tap = 0; tap < tiles.taps; ++tap, rows += MR) {
    if (__builtin_expect(!rows[0], 0)) {
      b += depth * NR;
      continue;
    }
    const float* a[MR];
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) a[i] = rows[i];
    std::int64_t c = 0;
    for (; c + 4 <= depth; c += 4, b += 4 * NR) {
      if (prefetch)
        for (int line = 0; line < prefetch_lines; ++line, prefetch += 64)
          __builtin_prefetch(prefetch, 0, 3);
      tile.step(a, c, b);
      tile.step(a, c + 1, b + NR);
      tile.step(a, c + 2, b + 2 * NR);
      tile.step(a, c + 3, b + 3 * NR);
    }
    for (; c < depth; ++c, b += NR) tile.step(a, c, b);
  }
  tile.end(out, halves);
}

template <int MR>
void gemm_tiles_24(const GemmTiles& tiles) {
  TileOutput out = tiles.out;
  const float* const* rows = tiles.rows;
  const char* prefetch = reinterpret_cast<const char*>(tiles.prefetch);
  const std::int64_t fetched = tiles.taps * (tiles.depth / 4) * tiles.prefetch_lines * 64;
  for (std::int64_t tile = 0; tile < tiles.count; ++tile) {
    gemm_tile_24<MR>(tiles, rows, out, prefetch);
    rows += tiles.taps * MR;
    if (prefetch) prefetch += fetched;
    out.dst += MR * out.dst_stride;
    if (out.residual) out.residual += MR * out.residual_stride;
  }
}

}  // namespace
}  // namespace avx512
}  // namespace pyconv
