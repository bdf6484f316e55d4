// Planar convolution micro-kernels: pixels in the lanes, for few output channels.
//
//     dst[q][y][i] = clamp( sum_k src[y][i + offsets[k]] * weights[k][q] + bias[q] )
//
// for `pixels` neighbouring pixels i of each of `rows` output rows y and up to `tile_cols` channels q.
// src is channel planes, already padded; offsets[k], k = (kh, kw, ic) in stored order, is where term k
// lies. Several rows in one tile keep enough sums in flight where a row is a vector or two.
// With fewer output channels than a vector has lanes the gemm family leaves lanes empty; here they
// are full whatever the channel count, at one unaligned load per term and vector. Horizontal
// stride 1 only.
//
// Packed weights: [depth][tile_cols], zero past the last channel. Per output one chain of FMAs in
// rising k from the bias; then + 0.0f when plus_zero, and clamp, through which NaN passes.
// Nothing is read past `pixels` of a row's last vector.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

struct PlanarTile {
  const float* src = nullptr;
  const std::int32_t* offsets = nullptr;
  std::int64_t depth = 0;
  const float* weights = nullptr;
  const float* bias = nullptr;  // tile_cols floats
  float* dst = nullptr;
  std::int64_t dst_stride = 0;  // floats from one channel's plane to the next
  std::int64_t src_row = 0, dst_row = 0;  // floats from one of the rows to the next
  const float* residual = nullptr;  // like dst; may be null
  int pixels = 0;    // of a row
  int channels = 0;  // valid ones, 1..tile_cols
  bool plus_zero = true, clamped = false;
  float lo = 0, hi = 0;
};
using PlanarTileFn = void (*)(const PlanarTile&);

constexpr int kPlanarVectors = 8;

// What computes so many rows of so many vectors of pixels, the last of each row partial; null where
// that is more than the kernel's `vectors`, or than the registers hold for several rows.
struct PlanarTiles {
  PlanarTileFn by_shape[kPlanarVectors * kPlanarVectors];
  PlanarTileFn get(int rows, int vectors) const {
    return by_shape[(rows - 1) * kPlanarVectors + vectors - 1];
  }
};

struct PlanarKernel {
  KernelInfo info;  // tile_rows: pixels, tile_cols: channels
  const PlanarTiles* tiles;
  int vectors;  // of all rows of a tile, at most

  int lanes() const { return info.tile_rows / vectors; }
};

const std::vector<PlanarKernel>& planar_kernels();
const std::vector<const KernelInfo*>& planar_registry();

}  // namespace pyconv
