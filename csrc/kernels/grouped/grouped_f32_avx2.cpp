// As grouped_f32_avx512.cpp, for 16 registers: 2 x 4, and 6 + 6 + 3 for filters of any width.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/grouped/grouped.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/grouped/grouped_body.inl.h"

namespace pyconv {
#define T(r, w, kw, s) avx2::grouped_strip<r, w, kw, s>
extern const GroupedStripFn grouped_f32_k3_2x4_avx2[2] = {T(1, 4, 3, 1), T(2, 4, 3, 1)};
extern const GroupedStripFn grouped_f32_1x6_avx2[2] = {T(1, 6, 0, 0), T(1, 6, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
