// 32 registers: 16 accumulators; 16 partial sums take four of them.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/linear/linear.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "simd/tree_sum.inl.h"
#include "kernels/transpose/tile_neon.inl.h"
#include "kernels/linear/linear_body.inl.h"

namespace pyconv {
extern const LinearRowsFn linear_f32_dot_neon = neon::linear_dot;
extern const LinearRowsFn linear_f32_chain_neon = neon::linear_chain;
extern const LinearPanelsFn linear_f32_panels_neon = neon::linear_panels;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
