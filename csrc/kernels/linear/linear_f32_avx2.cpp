// 16 registers: 8 accumulators; 16 partial sums take two of them.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/linear/linear.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "simd/tree_sum.inl.h"
#include "kernels/transpose/tile_avx2.inl.h"
#include "kernels/linear/linear_body.inl.h"

namespace pyconv {
extern const LinearRowsFn linear_f32_dot_avx2 = avx2::linear_dot;
extern const LinearRowsFn linear_f32_chain_avx2 = avx2::linear_chain;
extern const LinearPanelsFn linear_f32_panels_avx2 = avx2::linear_panels;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
