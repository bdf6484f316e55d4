// The floor: 4x4 tiles in plain C++, which the compiler keeps in registers.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/transpose/transpose.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"

namespace pyconv {
namespace scalar {
namespace {

constexpr int TC = 4;

PYCONV_INLINE void tile_columns_part(const float* src, std::int64_t stride, int rows, int cols,
                                     vf (&col)[TC]) {
  for (int i = 0; i < cols; ++i)
    for (int r = 0; r < VL; ++r) col[i].f[r] = r < rows ? src[r * stride + i] : 0.0f;
}
PYCONV_INLINE void tile_columns(const float* src, std::int64_t stride, vf (&col)[TC]) {
  tile_columns_part(src, stride, VL, TC, col);
}
PYCONV_INLINE bool transpose_narrow(const TransposeBlock&) { return false; }

}  // namespace
}  // namespace scalar
}  // namespace pyconv
#include "kernels/transpose/transpose_body.inl.h"

namespace pyconv {
extern const TransposeFn transpose_f32_4x4_scalar = scalar::transpose_block;
}  // namespace pyconv
PYCONV_END_TARGET
