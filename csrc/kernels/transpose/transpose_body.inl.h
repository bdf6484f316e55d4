// Generic body of the transpositions; contract in transpose.h. After tile_<isa>.inl.h; the ISA file
// defines transpose_narrow(block) before it: false unless it has done the whole block.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Writes column i < cols of a tile with fewer rows than lanes. Where the rows of dst follow each
// other densely a whole vector may be stored: what it puts past its row is overwritten by the next.
PYCONV_INLINE void store_short(const TransposeBlock& b, std::int64_t r0, std::int64_t c0, int rows,
                               int cols, const vf (&col)[TC]) {
  float* dst = b.dst + c0 * b.dst_stride + r0;
  const std::int64_t spare = b.cols * b.rows - VL;
  const std::int64_t whole = b.dst_stride == b.rows && spare >= 0 ? spare / b.rows - c0 : -1;
  const vm tail = mask_first(rows);
#pragma GCC unroll 8
  for (int i = 0; i < TC; ++i, dst += b.dst_stride) {
    if (i >= cols) break;
    if (i <= whole)
      store(dst, col[i]);
    else
      store_tail(dst, col[i], tail);
  }
}

PYCONV_INLINE void full_tile(const float* src, std::int64_t src_stride, float* dst,
                             std::int64_t dst_stride) {
  vf col[TC];
  tile_columns(src, src_stride, col);
#pragma GCC unroll 8
  for (int i = 0; i < TC; ++i) store(dst + i * dst_stride, col[i]);
}

// A tile of fewer rows or columns than lanes: r0 = 0 or c0 = 0.
void part_tile(const TransposeBlock& b, std::int64_t r0, std::int64_t c0, int rows, int cols) {
  vf col[TC];
  tile_columns_part(b.src + r0 * b.src_stride + c0, b.src_stride, rows, cols, col);
  if (rows < VL) return store_short(b, r0, c0, rows, cols, col);
  float* dst = b.dst + c0 * b.dst_stride + r0;
#pragma GCC unroll 8
  for (int i = 0; i < TC; ++i, dst += b.dst_stride)
    if (i < cols) store(dst, col[i]);
}

PYCONV_INLINE std::int64_t tile_start(std::int64_t at, std::int64_t size, int tile) {
  return size < tile ? 0 : at + tile > size ? size - tile : at;
}

void part_tiles(const TransposeBlock& b) {
  const int rows = b.rows < VL ? static_cast<int>(b.rows) : VL;
  const int cols = b.cols < TC ? static_cast<int>(b.cols) : TC;
  for (std::int64_t c = 0; c < b.cols; c += TC)
    for (std::int64_t r = 0; r < b.rows; r += VL)
      part_tile(b, tile_start(r, b.rows, VL), tile_start(c, b.cols, TC), rows, cols);
}

void transpose_block(const TransposeBlock& b) {
  if (transpose_narrow(b)) return;
  if (b.rows < VL || b.cols < TC) return part_tiles(b);
  const std::int64_t last_r = b.rows - VL, last_c = b.cols - TC;
  for (std::int64_t r = 0;;) {
    const float* src = b.src + r * b.src_stride;
    float* dst = b.dst + r;
    for (std::int64_t c = 0;;) {
      full_tile(src + c, b.src_stride, dst + c * b.dst_stride, b.dst_stride);
      if (c == last_c) break;
      c = c + TC < last_c ? c + TC : last_c;
    }
    if (r == last_r) break;
    r = r + VL < last_r ? r + VL : last_r;
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
