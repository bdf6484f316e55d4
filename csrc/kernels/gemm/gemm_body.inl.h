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
void gemm_tile(const GemmTile& tile) {
  constexpr int NR = NV * VL;
  vf acc[MR][NV];
  tile_begin(acc, tile.out);
  const float* b = tile.panel;
  const char* prefetch = reinterpret_cast<const char*>(tile.prefetch);
  const float* const* rows = tile.rows;
  const std::int64_t depth = tile.depth;
  for (std::int64_t tap = 0; tap < tile.taps; ++tap, rows += MR) {
    const float* a[MR];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) a[i] = rows[i];
    std::int64_t c = 0;
    for (; c + 4 <= depth; c += 4, b += 4 * NR) {
      if (prefetch) {
        __builtin_prefetch(prefetch, 0, 2);
        __builtin_prefetch(prefetch + tile.prefetch_step - 64, 0, 2);
        prefetch += tile.prefetch_step;
      }
      gemm_step<MR, NV>(acc, a, c, b);
      gemm_step<MR, NV>(acc, a, c + 1, b + NR);
      gemm_step<MR, NV>(acc, a, c + 2, b + 2 * NR);
      gemm_step<MR, NV>(acc, a, c + 3, b + 3 * NR);
    }
    for (; c < depth; ++c, b += NR) gemm_step<MR, NV>(acc, a, c, b);
  }
  tile_end(acc, tile.out);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
