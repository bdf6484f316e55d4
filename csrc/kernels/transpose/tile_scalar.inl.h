// Tiles of a transposition: 4x4 in plain C++, which the compiler keeps in registers.
// After simd/scalar.h, inside its region:
//
//   TC                                     columns of a tile; its rows are the VL lanes
//   tile_columns(src, stride, col)         col[i] = the VL rows of column i, i < TC
//   tile_columns_part(src, stride, rows, cols, col)   likewise, reading rows x cols only; the lanes
//                                          of rows that are not read are +0
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

}  // namespace
}  // namespace scalar
}  // namespace pyconv
