// Generic body of the planar micro-kernels; contract in planar.h. NO channels by NV vectors.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int NO, int NV>
PYCONV_INLINE void planar_finish(vf (&acc)[NO][NV], const PlanarTile& tile, vm tail) {
  const vf lo = set1(tile.lo), hi = set1(tile.hi), none = zero();
#pragma GCC unroll 4
  for (int q = 0; q < NO; ++q) {
    if (q >= tile.channels) break;
    float* row = tile.dst + q * tile.dst_stride;
    const float* residual = tile.residual ? tile.residual + q * tile.dst_stride : nullptr;
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      vf sum = acc[q][v];
      if (tile.plus_zero) sum = add(sum, none);
      if (residual)
        sum = add(sum, v == NV - 1 ? load_tail(residual + v * VL, tail) : load(residual + v * VL));
      if (tile.clamped) sum = min(hi, max(lo, sum));
      if (v == NV - 1)
        store_tail(row + v * VL, sum, tail);
      else
        store(row + v * VL, sum);
    }
  }
}

template <int NV>
PYCONV_INLINE vf load_pixels(const float* src, int v, vm tail) {
  return v == NV - 1 ? load_tail(src + v * VL, tail) : load(src + v * VL);
}

// One term of every sum. The operand of fewer registers is held, the other streamed: 24
// accumulators leave no room for eight vectors of pixels.
template <int NO, int NV>
PYCONV_INLINE void planar_step(vf (&acc)[NO][NV], const float* src, const float* weights, vm tail) {
  if (NO <= NV) {
    vf held[NO];
#pragma GCC unroll 4
    for (int q = 0; q < NO; ++q) held[q] = broadcast(weights + q);
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      const vf pixels = load_pixels<NV>(src, v, tail);
#pragma GCC unroll 4
      for (int q = 0; q < NO; ++q) fma_into(acc[q][v], pixels, held[q]);
    }
  } else {
    vf held[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) held[v] = load_pixels<NV>(src, v, tail);
#pragma GCC unroll 4
    for (int q = 0; q < NO; ++q) {
      const vf weight = broadcast(weights + q);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) fma_into(acc[q][v], held[v], weight);
    }
  }
}

template <int NO, int NV>
void planar_tile(const PlanarTile& tile) {
  const vm tail = mask_first(tile.pixels - (NV - 1) * VL);
  vf acc[NO][NV];
#pragma GCC unroll 4
  for (int q = 0; q < NO; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) acc[q][v] = broadcast(tile.bias + q);
  const float* weights = tile.weights;
  const std::int32_t* end = tile.offsets + tile.depth;
  for (const std::int32_t* offset = tile.offsets; offset < end; ++offset, weights += NO) {
    planar_step(acc, tile.src + *offset, weights, tail);
  }
  planar_finish(acc, tile, tail);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
