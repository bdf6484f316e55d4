// 4x4 tiles: four loads, eight zips, four stores.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/transpose/transpose.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"

namespace pyconv {
namespace neon {
namespace {

constexpr int TC = 4;

PYCONV_INLINE void columns_of(const vf (&row)[4], vf (&col)[TC]) {
  const vf ac0 = vzip1q_f32(row[0], row[2]), ac1 = vzip2q_f32(row[0], row[2]);
  const vf bd0 = vzip1q_f32(row[1], row[3]), bd1 = vzip2q_f32(row[1], row[3]);
  col[0] = vzip1q_f32(ac0, bd0);
  col[1] = vzip2q_f32(ac0, bd0);
  col[2] = vzip1q_f32(ac1, bd1);
  col[3] = vzip2q_f32(ac1, bd1);
}
PYCONV_INLINE void tile_columns(const float* src, std::int64_t stride, vf (&col)[TC]) {
  const vf row[4] = {load(src), load(src + stride), load(src + 2 * stride), load(src + 3 * stride)};
  columns_of(row, col);
}
PYCONV_INLINE void tile_columns_part(const float* src, std::int64_t stride, int rows, int cols,
                                     vf (&col)[TC]) {
  const vm mask = mask_first(cols);
  vf row[4];
  for (int r = 0; r < 4; ++r) row[r] = r < rows ? load_tail(src + r * stride, mask) : zero();
  columns_of(row, col);
}
PYCONV_INLINE bool transpose_narrow(const TransposeBlock&) { return false; }

}  // namespace
}  // namespace neon
}  // namespace pyconv
#include "kernels/transpose/transpose_body.inl.h"

namespace pyconv {
extern const TransposeFn transpose_f32_4x4_neon = neon::transpose_block;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
