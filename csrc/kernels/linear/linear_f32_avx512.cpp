// 32 registers: 16 accumulators. dot: one row of x by 8 outputs, 4 rows by 4; panels: 4 chains for each
// of up to 4 panels, which outrun L2 (64 bytes a cycle).
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/linear/linear.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/tree_sum.inl.h"
#include "kernels/transpose/tile_avx512.inl.h"
#include "kernels/linear/linear_body.inl.h"

namespace pyconv {
extern const LinearRowsFn linear_f32_dot_avx512 = avx512::linear_dot;
extern const LinearRowsFn linear_f32_chain_avx512 = avx512::linear_chain;
extern const LinearPanelsFn linear_f32_panels_avx512 = avx512::linear_panels;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
