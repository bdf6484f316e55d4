// Generic body of the planar micro-kernels; contract in planar.h. NO channels by NR rows of NP vectors.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int NO, int NR, int NP>
PYCONV_INLINE void planar_add_residual(vf (&acc)[NO][NR * NP], const PlanarTile& tile, vm tail) {
#pragma GCC unroll 6
  for (int q = 0; q < NO; ++q) {
    if (q >= tile.channels) break;
#pragma GCC unroll 8
    for (int v = 0; v < NR * NP; ++v) {
      const float* at = tile.residual + q * tile.dst_stride + v / NP * tile.dst_row + v % NP * VL;
      acc[q][v] = add(acc[q][v], v % NP == NP - 1 ? load_tail(at, tail) : load(at));
    }
  }
}

template <int NO, int NR, int NP>
PYCONV_INLINE void planar_finish(vf (&acc)[NO][NR * NP], const PlanarTile& tile, vm tail) {
  if (tile.plus_zero) {
    const vf none = zero();
#pragma GCC unroll 6
    for (int q = 0; q < NO; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < NR * NP; ++v) acc[q][v] = add(acc[q][v], none);
  }
  if (tile.residual) planar_add_residual<NO, NR, NP>(acc, tile, tail);
  if (tile.clamped) {
    const vf lo = set1(tile.lo), hi = set1(tile.hi);
#pragma GCC unroll 6
    for (int q = 0; q < NO; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < NR * NP; ++v) acc[q][v] = min(hi, max(lo, acc[q][v]));
  }
#pragma GCC unroll 6
  for (int q = 0; q < NO; ++q) {
    if (q >= tile.channels) break;
#pragma GCC unroll 8
    for (int v = 0; v < NR * NP; ++v) {
      float* at = tile.dst + q * tile.dst_stride + v / NP * tile.dst_row + v % NP * VL;
      if (v % NP == NP - 1)
        store_tail(at, acc[q][v], tail);
      else
        store(at, acc[q][v]);
    }
  }
}

template <int NR, int NP>
PYCONV_INLINE vf load_pixels(const float* const (&src)[NR], std::int64_t offset, int v, vm tail) {
  const float* at = src[v / NP] + offset + v % NP * VL;
  return v % NP == NP - 1 ? load_tail(at, tail) : load(at);
}

// One term of every sum. The operand of fewer registers is held, the other streamed: 24
// accumulators leave no room for eight vectors of pixels.
template <int NO, int NR, int NP>
PYCONV_INLINE void planar_step(vf (&acc)[NO][NR * NP], const float* const (&src)[NR],
                               std::int64_t offset, const float* weights, vm tail) {
  constexpr int NV = NR * NP;
  if (NO <= NV) {
    vf held[NO];
#pragma GCC unroll 6
    for (int q = 0; q < NO; ++q) held[q] = broadcast(weights + q);
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      const vf pixels = load_pixels<NR, NP>(src, offset, v, tail);
#pragma GCC unroll 6
      for (int q = 0; q < NO; ++q) fma_into(acc[q][v], pixels, held[q]);
    }
  } else {
    vf held[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) held[v] = load_pixels<NR, NP>(src, offset, v, tail);
#pragma GCC unroll 6
    for (int q = 0; q < NO; ++q) {
      const vf weight = broadcast(weights + q);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) fma_into(acc[q][v], held[v], weight);
    }
  }
}

template <int NO, int NR, int NP>
void planar_tile(const PlanarTile& tile) {
  const vm tail = mask_first(tile.pixels - (NP - 1) * VL);
  vf acc[NO][NR * NP];
#pragma GCC unroll 6
  for (int q = 0; q < NO; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < NR * NP; ++v) acc[q][v] = broadcast(tile.bias + q);
  const float* src[NR];
#pragma GCC unroll 8
  for (int r = 0; r < NR; ++r) src[r] = tile.src + r * tile.src_row;
  const float* weights = tile.weights;
  const std::int32_t* end = tile.offsets + tile.depth;
  for (const std::int32_t* offset = tile.offsets; offset < end; ++offset, weights += NO) {
    planar_step<NO, NR, NP>(acc, src, *offset, weights, tail);
  }
  planar_finish<NO, NR, NP>(acc, tile, tail);
}

// Several rows need their mask in every load: it wants a register of its own.
template <int NO, int NV, int NR, int NP>
constexpr PlanarTileFn planar_shape() {
  constexpr int kHeld = (NO < NR * NP ? NO : NR * NP) + 2;
  if constexpr (NR * NP <= NV && (NR == 1 || NO * NR * NP + kHeld <= kRegisters))
    return planar_tile<NO, NR, NP>;
  else
    return nullptr;
}

template <int NO, int NV, int... I>
constexpr PlanarTiles planar_shapes(std::integer_sequence<int, I...>) {
  return {{planar_shape<NO, NV, I / kPlanarVectors + 1, I % kPlanarVectors + 1>()...}};
}

// All shapes of up to NV vectors.
template <int NO, int NV>
constexpr PlanarTiles planar_tiles() {
  return planar_shapes<NO, NV>(std::make_integer_sequence<int, kPlanarVectors * kPlanarVectors>());
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
