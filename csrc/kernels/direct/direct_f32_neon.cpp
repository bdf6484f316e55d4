// The tiles of gemm_f32_neon.cpp.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/direct/direct.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"
#include "kernels/direct/direct_body.inl.h"

namespace pyconv {
#define T(h, v) neon::direct_tile<h, v>
extern const DirectTileFn direct_f32_6x16_neon[6] = {T(1, 4), T(2, 4), T(3, 4), T(4, 4), T(5, 4), T(6, 4)};
extern const DirectTileFn direct_f32_8x4_neon[8] = {T(1, 1), T(2, 1), T(3, 1), T(4, 1), T(5, 1), T(6, 1), T(7, 1), T(8, 1)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
