// Planar convolution micro-kernels: pixels in the lanes, for few output channels.
//
//     dst[q][i] = clamp( sum_k src[i + offsets[k]] * weights[k][q] + bias[q] )
//
// for `pixels` neighbouring pixels i of one output row and up to `tile_cols` channels q. src is
// channel planes, already padded; offsets[k], k = (kh, kw, ic) in stored order, is where term k lies.
// With fewer output channels than a vector has lanes the gemm family leaves lanes empty; here they
// are full whatever the channel count, at one unaligned load per term and vector. Horizontal
// stride 1 only.
//
// Packed weights: [depth][tile_cols], zero past the last channel. Per output one chain of FMAs in
// rising k from the bias; then + 0.0f when plus_zero, and clamp, through which NaN passes.
// Nothing is read past `pixels` of the last vector.
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
  const float* residual = nullptr;  // like dst; may be null
  int pixels = 0;
  int channels = 0;  // valid ones, 1..tile_cols
  bool plus_zero = true, clamped = false;
  float lo = 0, hi = 0;
};
using PlanarTileFn = void (*)(const PlanarTile&);

struct PlanarKernel {
  KernelInfo info;                 // tile_rows: pixels, tile_cols: channels
  const PlanarTileFn* by_vectors;  // by_vectors[v - 1] computes v vectors of pixels, the last partial
  int vectors;
};

const std::vector<PlanarKernel>& planar_kernels();
const std::vector<const KernelInfo*>& planar_registry();

}  // namespace pyconv
