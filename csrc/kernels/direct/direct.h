// Direct convolution micro-kernels: a register tile of `height` neighbouring output pixels of one
// row by `nr` output channels, read from an already padded image without a pointer per tap:
//
//     dst[i][n] = clamp( sum_k src[i * pixel_stride + offsets[k]] * panel[k][n] + bias[n] )
//
// offsets[k], k = (kh, kw, ic) in stored order, is where term k lies relative to the first one; so
// the source may be NHWC or NCHW, of any stride or dilation. Meant for few input channels, where
// the pointers of the gemm family cost more than they serve. Packed panels, order of summation and
// output as in kernels/gemm/gemm.h.
#pragma once
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace pyconv {

struct DirectTile {
  const float* src = nullptr;
  std::int64_t pixel_stride = 0;
  const std::int32_t* offsets = nullptr;
  std::int64_t depth = 0;
  const float* panel = nullptr;
  TileOutput out;
};
using DirectTileFn = void (*)(const DirectTile&);

struct DirectKernel {
  KernelInfo info;
  const DirectTileFn* by_height;
  int short_rows;  // as in gemm.h
};

const std::vector<DirectKernel>& direct_kernels();
const std::vector<const KernelInfo*>& direct_registry();

}  // namespace pyconv
