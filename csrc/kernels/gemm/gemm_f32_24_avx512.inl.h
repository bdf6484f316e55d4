// 24 columns: one vector and a half, in two ways. Contract in gemm.h; after simd/fma_row_avx512.inl.h and
// gemm_body.inl.h.
//
// PairedTile: of two neighbouring rows the halves share a vector, row 2i in the lower lanes and row 2i + 1
// in the upper: three FMAs for two rows, where two whole vectors would take four. An odd last row stands in
// both halves. 12 rows: 12 + 6 accumulators, 2 weights, 3 broadcasts. Per k 18 FMAs take 9 cycles, 14 loads
// 7, and six blends go to the other pipes.
//
// SplitTile: halves of their own, the broadcast within each FMA. Where vectors run in halves an FMA of a half
// costs half of one and blends get in the way: 24 FMAs on 12 rows' columns take the 18 cycles of 18 whole
// ones. 8 rows: 8 + 8 accumulators, 2 weights; per k 16 FMAs take 12 cycles, 18 loads 9. On pipes of 512
// bits the loads would bound it, at 9 cycles for 6.
namespace pyconv {
namespace avx512 {
namespace {

constexpr int kHalf = 8, kColumns = VL + kHalf;
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
struct PairedTile {
  using Columns = Halves;
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

  template <int k>
  PYCONV_INLINE void step(const float* const (&a)[MR], std::int64_t c, const float* b) {
    const vf weights = load(b + k * kColumns), half = load_half(b + k * kColumns + VL);
#pragma GCC unroll 6
    for (int i = 0; i < kPairs; ++i) {
      const vf low = broadcast(a[2 * i] + c + k);
      fma_into(whole[2 * i], low, weights);
      if (2 * i + 1 < MR) {
        const vf high = broadcast(a[2 * i + 1] + c + k);
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

// The half of a row, masked by how many columns are valid.
struct Half {
  __mmask8 valid;
  explicit PYCONV_INLINE Half(int columns) : valid(static_cast<__mmask8>((1u << (columns - VL)) - 1u)) {}
  PYCONV_INLINE __m256 get(const float* row) const { return _mm256_maskz_loadu_ps(valid, row + VL); }
  PYCONV_INLINE void put(float* row, __m256 v) const { _mm256_mask_storeu_ps(row + VL, valid, v); }
};

template <int MR>
struct SplitTile {
  using Columns = Half;
  vf whole[MR];
  __m256 half[MR];

  PYCONV_INLINE void begin(const TileOutput& out, const Half& columns) {
    if (out.first) {
      const vf bias = load(out.bias);
      const __m256 half_bias = _mm256_loadu_ps(out.bias + VL);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        if (out.fetch_dst) {
          __builtin_prefetch(out.dst + i * out.dst_stride, 1, 3);
          __builtin_prefetch(out.dst + i * out.dst_stride + VL + kHalf - 1, 1, 3);
        }
        whole[i] = bias;
        half[i] = half_bias;
      }
      return;
    }
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      whole[i] = load(out.dst + i * out.dst_stride);
      half[i] = columns.get(out.dst + i * out.dst_stride);
    }
  }

  // Halves stand side by side, as whole vectors do: 99 % of the peak, where strict turns reach 96.
  template <int k>
  PYCONV_INLINE void step(const float* const (&a)[MR], std::int64_t c, const float* b) {
    const vf weights = load(b + k * kColumns);
    const __m256 half_weights = _mm256_loadu_ps(b + k * kColumns + VL);
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      if (i % 2 == 0) fma_row<k>(whole[i], weights, a[i], c);
      fma_row<k>(half[i], half_weights, a[i], c);
      if (i % 2 != 0) fma_row<k>(whole[i], weights, a[i], c);
    }
  }

  PYCONV_INLINE void end(const TileOutput& out, const Half& columns) {
    if (out.last) {
      if (out.plus_zero) {
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i) {
          whole[i] = add(whole[i], zero());
          half[i] = _mm256_add_ps(half[i], _mm256_setzero_ps());
        }
      }
      if (out.residual) {
#pragma GCC unroll 8
        for (int i = 0; i < MR; ++i) {
          const float* residual = out.residual + i * out.residual_stride;
          whole[i] = add(whole[i], load(residual));
          half[i] = _mm256_add_ps(half[i], columns.get(residual));
        }
      }
      if (out.clamped) clamp(set1(out.lo), set1(out.hi));
    }
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      store(out.dst + i * out.dst_stride, whole[i]);
      columns.put(out.dst + i * out.dst_stride, half[i]);
    }
  }

 private:
  PYCONV_INLINE void clamp(vf lo, vf hi) {
    const __m256 half_lo = _mm512_castps512_ps256(lo), half_hi = _mm512_castps512_ps256(hi);
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      whole[i] = min(hi, max(lo, whole[i]));
      half[i] = _mm256_min_ps(half_hi, _mm256_max_ps(half_lo, half[i]));
    }
  }
};

template <int MR, template <int> class Tile>
__attribute__((noinline)) void gemm_tile_24(const GemmTiles& tiles, const float* const* rows,
                                            const TileOutput& out, const char* prefetch) {
  const std::int64_t depth = tiles.depth;
  const int prefetch_lines = tiles.prefetch_lines;
  const typename Tile<MR>::Columns columns(out.columns);
  Tile<MR> tile;
  tile.begin(out, columns);
  const float* b = tiles.panel;
  for (std::int64_t tap = 0; tap < tiles.taps; ++tap, rows += MR) {
    if (__builtin_expect(!rows[0], 0)) {
      b += depth * kColumns;
      continue;
    }
    const float* a[MR];
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) a[i] = rows[i];
    std::int64_t c = 0;
    for (; c + 4 <= depth; c += 4, b += 4 * kColumns) {
      if (prefetch) fetch_lines(prefetch, prefetch_lines);
      tile.template step<0>(a, c, b);
      tile.template step<1>(a, c, b);
      tile.template step<2>(a, c, b);
      tile.template step<3>(a, c, b);
    }
#pragma GCC unroll 1
    for (; c < depth; ++c, b += kColumns) tile.template step<0>(a, c, b);
  }
  tile.end(out, columns);
}

template <int MR, template <int> class Tile>
void gemm_tiles_24(const GemmTiles& tiles) {
  TileOutput out = tiles.out;
  const float* const* rows = tiles.rows;
  const char* prefetch = reinterpret_cast<const char*>(tiles.prefetch);
  const std::int64_t fetched = tiles.taps * (tiles.depth / 4) * tiles.prefetch_lines * 64;
  for (std::int64_t tile = 0; tile < tiles.count; ++tile) {
    gemm_tile_24<MR, Tile>(tiles, rows, out, prefetch);
    rows += tiles.taps * MR;
    if (prefetch) prefetch += fetched;
    out.dst += MR * out.dst_stride;
    if (out.residual) out.residual += MR * out.residual_stride;
  }
}

}  // namespace
}  // namespace avx512
}  // namespace pyconv
