// Generic body of the GEMM micro-kernels; contract in gemm.h. Included inside a target region, after
// simd/<isa>.h and tile_output.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int MR, int NV>
PYCONV_INLINE void gemm_step(vf (&acc)[MR][NV], const float* const (&a)[MR], std::int64_t c,
                             const float* b) {
  vf weights[NV];
#pragma GCC unroll 4
  for (int j = 0; j < NV; ++j) weights[j] = load(b + j * VL);
  if constexpr (NV == 1) {
    // A broadcast of its own serves one FMA: Zen 4 reaches 71 % of its peak so, 97 % like this.
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) fma_broadcast(acc[i][0], weights[0], a[i] + c);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const vf src = broadcast(a[i] + c);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) fma_into(acc[i][j], src, weights[j]);
    }
  }
}

// Lines per four k up to which they are fetched to L1. More, because few tiles share the panel, would drive
// the rows out of L1 and fill its miss buffers: those go to L2 alone (16 rows by weights from DRAM, Zen 4:
// 77 % of peak to L1, 88 % to L2).
constexpr int kFewLines = 2;

template <int Locality>
PYCONV_INLINE void fetch_lines_to(const char*& from, int lines) {
  int line = 0;
  do {
    __builtin_prefetch(from, 0, Locality);
    from += 64;
  } while (++line < lines);
}

// With few registers the choice stands within the loop: two loops cost GCC 12 one of the 4x24 tile of AVX2, and
// one loop 1 % of a network on AVX-512.
PYCONV_INLINE void fetch_lines(const char*& from, int lines) {
  if constexpr (kRegisters >= 32) {
    if (lines > kFewLines) return fetch_lines_to<2>(from, lines);
    return fetch_lines_to<3>(from, lines);
  }
  int line = 0;
  do {
    if (lines > kFewLines)
      __builtin_prefetch(from, 0, 2);
    else
      __builtin_prefetch(from, 0, 3);
    from += 64;
  } while (++line < lines);
}

// Floats that one or two rows fetch ahead of the weights they use: 8 KiB (Zen 5).
constexpr int kStreamAhead = 2048;

// A function of its own: with the loop over tiles around it GCC 12 spills accumulators at its seam.
template <int MR, int NV>
__attribute__((noinline)) void gemm_tile(const GemmTiles& tiles, const float* const* rows,
                                         const TileOutput& out, const char* prefetch) {
  constexpr int NR = NV * VL;
  const std::int64_t depth = tiles.depth;
  const int prefetch_lines = tiles.prefetch_lines;
  vf acc[MR][NV];
  tile_begin(acc, out);
  const float* b = tiles.panel;
  for (std::int64_t tap = 0; tap < tiles.taps; ++tap, rows += MR) {
    if (__builtin_expect(!rows[0], 0)) {
      b += depth * NR;
      continue;
    }
    const float* a[MR];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) a[i] = rows[i];
    std::int64_t c = 0;
    for (; c + 4 <= depth; c += 4, b += 4 * NR) {
      if (MR <= 2) {
        // So few rows that the panel itself streams by: what comes next is fetched as it is used.
#pragma GCC unroll 16
        for (int line = 0; line < NR / 4; ++line)
          __builtin_prefetch(b + kStreamAhead + line * 16, 0, 2);
      } else if (prefetch) {
        fetch_lines(prefetch, prefetch_lines);
      }
      gemm_step<MR, NV>(acc, a, c, b);
      gemm_step<MR, NV>(acc, a, c + 1, b + NR);
      gemm_step<MR, NV>(acc, a, c + 2, b + 2 * NR);
      gemm_step<MR, NV>(acc, a, c + 3, b + 3 * NR);
    }
    // Not unrolled: its copies of the step would cost the loop above registers and time.
#pragma GCC unroll 1
    for (; c < depth; ++c, b += NR) gemm_step<MR, NV>(acc, a, c, b);
  }
  tile_end(acc, out);
}

template <int MR, int NV>
void gemm_tiles(const GemmTiles& tiles) {
  TileOutput out = tiles.out;
  const float* const* rows = tiles.rows;
  const char* prefetch = reinterpret_cast<const char*>(tiles.prefetch);
  const std::int64_t fetched = tiles.taps * (tiles.depth / 4) * tiles.prefetch_lines * 64;
  for (std::int64_t tile = 0; tile < tiles.count; ++tile) {
    gemm_tile<MR, NV>(tiles, rows, out, prefetch);
    rows += tiles.taps * MR;
    if (prefetch) prefetch += fetched;
    out.dst += MR * out.dst_stride;
    if (out.residual) out.residual += MR * out.residual_stride;
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
