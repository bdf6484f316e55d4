// First and last act of a register tile, shared by the gemm and direct bodies.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int MR, int NV>
PYCONV_INLINE void tile_begin(vf (&acc)[MR][NV], const TileOutput& out) {
  if (out.first) {
    if (out.fetch_dst) {
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) __builtin_prefetch(out.dst + i * out.dst_stride + j * VL, 1, 3);
    }
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const vf bias = load(out.bias + j * VL);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) acc[i][j] = bias;
    }
    return;
  }
  const vm tail = mask_first(out.columns - (NV - 1) * VL);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const float* row = out.dst + i * out.dst_stride;
#pragma GCC unroll 4
    for (int j = 0; j < NV - 1; ++j) acc[i][j] = load(row + j * VL);
    acc[i][NV - 1] = load_tail(row + (NV - 1) * VL, tail);
  }
}

template <int MR, int NV>
PYCONV_INLINE void tile_end(vf (&acc)[MR][NV], const TileOutput& out) {
  const vm tail = mask_first(out.columns - (NV - 1) * VL);
  if (out.last) {
    if (out.plus_zero) {
      const vf none = zero();
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] = add(acc[i][j], none);
    }
    if (out.residual) {
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) {
        const float* residual = out.residual + i * out.residual_stride;
#pragma GCC unroll 4
        for (int j = 0; j < NV - 1; ++j) acc[i][j] = add(acc[i][j], load(residual + j * VL));
        acc[i][NV - 1] = add(acc[i][NV - 1], load_tail(residual + (NV - 1) * VL, tail));
      }
    }
    if (out.clamped) {
      const vf lo = set1(out.lo), hi = set1(out.hi);
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] = min(hi, max(lo, acc[i][j]));
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    float* row = out.dst + i * out.dst_stride;
#pragma GCC unroll 4
    for (int j = 0; j < NV - 1; ++j) store(row + j * VL, acc[i][j]);
    store_tail(row + (NV - 1) * VL, acc[i][NV - 1], tail);
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
