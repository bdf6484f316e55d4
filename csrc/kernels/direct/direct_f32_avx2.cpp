// The tiles of gemm_f32_avx2.cpp.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/direct/direct.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/gemm/tile_output.inl.h"
#include "kernels/gemm/gemm_body.inl.h"
#include "kernels/direct/direct_body.inl.h"

namespace pyconv {
#define T(h, v) avx2::direct_tile<h, v>
extern const DirectTileFn direct_f32_6x16_avx2[6] = {T(1, 2), T(2, 2), T(3, 2), T(4, 2), T(5, 2), T(6, 2)};
extern const DirectTileFn direct_f32_12x8_avx2[12] = {T(1, 1), T(2, 1), T(3, 1), T(4, 1), T(5, 1), T(6, 1), T(7, 1), T(8, 1), T(9, 1), T(10, 1), T(11, 1), T(12, 1)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
