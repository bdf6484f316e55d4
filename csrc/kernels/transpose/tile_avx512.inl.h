// Tiles of a transposition in registers: 16 rows of 8 columns. Rows r and r + 4 share a register from
// the load on; two levels of unpacking within 128 bits and one exchange of 128-bit lanes finish the
// columns: 24 shuffles for 128 floats, in 9 to 10 cycles beside 16 loads in 8 (Zen 5).
// After simd/avx512.h, inside its region:
//
//   TC                                     columns of a tile; its rows are the VL lanes
//   tile_columns(src, stride, col)         col[i] = the VL rows of column i, i < TC
//   tile_columns_part(src, stride, rows, cols, col)   likewise, reading rows x cols only; the lanes
//                                          of rows that are not read are +0
namespace pyconv {
namespace avx512 {
namespace {

constexpr int TC = 8;

// 4x4 transposes within each 128 bits.
PYCONV_INLINE void quarter_columns(const vf (&rows)[4], vf (&col)[4]) {
  const vf ac0 = _mm512_unpacklo_ps(rows[0], rows[2]), ac1 = _mm512_unpackhi_ps(rows[0], rows[2]);
  const vf bd0 = _mm512_unpacklo_ps(rows[1], rows[3]), bd1 = _mm512_unpackhi_ps(rows[1], rows[3]);
  col[0] = _mm512_unpacklo_ps(ac0, bd0);
  col[1] = _mm512_unpackhi_ps(ac0, bd0);
  col[2] = _mm512_unpacklo_ps(ac1, bd1);
  col[3] = _mm512_unpackhi_ps(ac1, bd1);
}

// top[r] = rows r and r + 4, bottom[r] = rows r + 8 and r + 12, columns 0..7 each.
PYCONV_INLINE void columns_of(const vf (&top)[4], const vf (&bottom)[4], vf (&col)[TC]) {
  vf t[4], u[4];
  quarter_columns(top, t);
  quarter_columns(bottom, u);
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) {
    col[k] = _mm512_shuffle_f32x4(t[k], u[k], 0x88);
    col[k + 4] = _mm512_shuffle_f32x4(t[k], u[k], 0xdd);
  }
}

PYCONV_INLINE vf join(__m256 low, __m256 high) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

PYCONV_INLINE void tile_columns(const float* src, std::int64_t stride, vf (&col)[TC]) {
  vf top[4], bottom[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r, src += stride) {
    top[r] = join(_mm256_loadu_ps(src), _mm256_loadu_ps(src + 4 * stride));
    bottom[r] = join(_mm256_loadu_ps(src + 8 * stride), _mm256_loadu_ps(src + 12 * stride));
  }
  columns_of(top, bottom, col);
}

PYCONV_INLINE void tile_columns_part(const float* src, std::int64_t stride, int rows, int cols,
                                     vf (&col)[TC]) {
  const __mmask8 mask = static_cast<__mmask8>((1u << cols) - 1u);
  __m256 row[16];
#pragma GCC unroll 16
  for (int r = 0; r < 16; ++r)
    row[r] = r < rows ? _mm256_maskz_loadu_ps(mask, src + r * stride) : _mm256_setzero_ps();
  vf top[4], bottom[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    top[r] = join(row[r], row[r + 4]);
    bottom[r] = join(row[r + 8], row[r + 12]);
  }
  columns_of(top, bottom, col);
}

}  // namespace
}  // namespace avx512
}  // namespace pyconv
