// Tiles of a transposition in registers: 4x4, four loads and eight zips.
// After simd/neon.h, inside its region:
//
//   TC                                     columns of a tile; its rows are the VL lanes
//   tile_columns(src, stride, col)         col[i] = the VL rows of column i, i < TC
//   tile_columns_part(src, stride, rows, cols, col)   likewise, reading rows x cols only; the lanes
//                                          of rows that are not read are +0
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

}  // namespace
}  // namespace neon
}  // namespace pyconv
