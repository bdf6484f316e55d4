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
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const vf src = broadcast(a[i] + c);
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) fma_into(acc[i][j], src, weights[j]);
  }
}

template <int MR, int NV>
void gemm_tiles(const GemmTiles& tiles) {
  constexpr int NR = NV * VL;
  const std::int64_t depth = tiles.depth, taps = tiles.taps, prefetch_step = tiles.prefetch_step;
  const float* const* rows = tiles.rows;
  const char* prefetch = reinterpret_cast<const char*>(tiles.prefetch);
  TileOutput out = tiles.out;
  for (std::int64_t tile = 0; tile < tiles.count; ++tile) {
    vf acc[MR][NV];
    tile_begin(acc, out);
    const float* b = tiles.panel;
    for (std::int64_t tap = 0; tap < taps; ++tap, rows += MR) {
      const float* a[MR];
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) a[i] = rows[i];
      std::int64_t c = 0;
      for (; c + 4 <= depth; c += 4, b += 4 * NR) {
        if (prefetch) {
          __builtin_prefetch(prefetch, 0, 2);
          __builtin_prefetch(prefetch + prefetch_step - 64, 0, 2);
          prefetch += prefetch_step;
        }
        gemm_step<MR, NV>(acc, a, c, b);
        gemm_step<MR, NV>(acc, a, c + 1, b + NR);
        gemm_step<MR, NV>(acc, a, c + 2, b + 2 * NR);
        gemm_step<MR, NV>(acc, a, c + 3, b + 3 * NR);
      }
#pragma GCC unroll 1
      for (; c < depth; ++c, b += NR) gemm_step<MR, NV>(acc, a, c, b);
    }
    tile_end(acc, out);
    out.dst += MR * out.dst_stride;
    if (out.residual) out.residual += MR * out.residual_stride;
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
