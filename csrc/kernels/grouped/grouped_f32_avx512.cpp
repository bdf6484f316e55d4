// Two output rows of 7 columns, 14 accumulators: a pixel permuted once feeds up to 6 FMAs, whose
// weights are operands in memory (two loads per cycle keep up with two FMAs). Filters of any width
// and stride: 12 accumulators, 12 pixels, weights, indices and a permuted vector, one FMA for each
// permutation.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/grouped/grouped.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/opaque.inl.h"
#include "simd/column_steps.inl.h"
#include "kernels/strip/strip_body.inl.h"
#include "kernels/grouped/grouped_body.inl.h"

namespace pyconv {
#define T(r, w, kw, s) avx512::grouped_strip<r, w, kw, s>
extern const GroupedStripFn grouped_f32_k3_2x7_avx512[2] = {T(1, 7, 3, 1), T(2, 7, 3, 1)};
extern const GroupedStripFn grouped_f32_k3s2_1x7_avx512[2] = {T(1, 7, 3, 2), T(1, 7, 3, 2)};
extern const GroupedStripFn grouped_f32_1x12_avx512[2] = {T(1, 12, 0, 0), T(1, 12, 0, 0)};
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
