// Tiles of a transposition in registers: 8x8. Row r of columns 0..3 and row r + 4 share a register
// from the load on (an insertion from memory needs no shuffle of its own), so that two levels of
// unpacking within 128 bits finish the columns: 8 loads, 8 insertions and 16 shuffles for 64 floats.
// After simd/avx2.h, inside its region:
//
//   TC                                     columns of a tile; its rows are the VL lanes
//   tile_columns(src, stride, col)         col[i] = the VL rows of column i, i < TC
//   tile_columns_part(src, stride, rows, cols, col)   likewise, reading rows x cols only; the lanes
//                                          of rows that are not read are +0
namespace pyconv {
namespace avx2 {
namespace {

constexpr int TC = 8;

// low[r] = rows r and r + 4 of columns 0..3, high[r] of columns 4..7.
PYCONV_INLINE void quarter_columns(const vf (&rows)[4], vf* col) {
  const vf ac0 = _mm256_unpacklo_ps(rows[0], rows[2]), ac1 = _mm256_unpackhi_ps(rows[0], rows[2]);
  const vf bd0 = _mm256_unpacklo_ps(rows[1], rows[3]), bd1 = _mm256_unpackhi_ps(rows[1], rows[3]);
  col[0] = _mm256_unpacklo_ps(ac0, bd0);
  col[1] = _mm256_unpackhi_ps(ac0, bd0);
  col[2] = _mm256_unpacklo_ps(ac1, bd1);
  col[3] = _mm256_unpackhi_ps(ac1, bd1);
}

PYCONV_INLINE vf row_pair(const float* src, std::int64_t apart) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src)), _mm_loadu_ps(src + apart),
                              1);
}

PYCONV_INLINE void tile_columns(const float* src, std::int64_t stride, vf (&col)[TC]) {
  for (int half = 0; half < 2; ++half) {
    const float* at = src + 4 * half;
    const vf rows[4] = {row_pair(at, 4 * stride), row_pair(at + stride, 4 * stride),
                        row_pair(at + 2 * stride, 4 * stride),
                        row_pair(at + 3 * stride, 4 * stride)};
    quarter_columns(rows, col + 4 * half);
  }
}

PYCONV_INLINE void tile_columns_part(const float* src, std::int64_t stride, int rows, int cols,
                                     vf (&col)[TC]) {
  const vm mask = mask_first(cols);
  vf row[8];
  for (int r = 0; r < 8; ++r) row[r] = r < rows ? load_tail(src + r * stride, mask) : zero();
  vf low[4], high[4];
  for (int r = 0; r < 4; ++r) {
    low[r] = _mm256_permute2f128_ps(row[r], row[r + 4], 0x20);
    high[r] = _mm256_permute2f128_ps(row[r], row[r + 4], 0x31);
  }
  quarter_columns(low, col);
  quarter_columns(high, col + 4);
}

}  // namespace
}  // namespace avx2
}  // namespace pyconv
