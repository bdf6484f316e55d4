// The general tile alone: permutations go through memory here.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/grouped/grouped.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/grouped/grouped_body.inl.h"

namespace pyconv {
#define T(r, w, kw, s) neon::grouped_strip<r, w, kw, s>
extern const GroupedStripFn grouped_f32_1x8_neon[2] = {T(1, 8, 0, 0), T(1, 8, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
