// The floor: portable C++, fused multiply-adds by fma1(). The compiler is free to use SSE2.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/gemm/gemm.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"

namespace pyconv {
#define T(h, v) scalar::gemm_tiles<h, v>
extern const GemmTilesFn gemm_f32_4x8_scalar[4] = {T(1, 2), T(2, 2), T(3, 2), T(4, 2)};
extern const GemmTilesFn gemm_f32_4x4_scalar[4] = {T(1, 1), T(2, 1), T(3, 1), T(4, 1)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
