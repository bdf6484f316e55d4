// Up to four dense rows or columns (two to four channels): C vectors hold 16 pixels, and each of the
// C results is picked out of them by C - 1 two-source permutations. Five to eight dense rows: pixels
// of up to 8 floats, each store overwritten past its pixel by the next.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/transpose/transpose.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "kernels/transpose/tile_avx512.inl.h"

namespace pyconv {
namespace avx512 {
namespace {

// Result j of C takes lane l from lane `at` of source vector `from`; step k of the chain of
// two-source permutations brings in source k.
template <int C, bool kInterleave>
struct Picks {
  alignas(64) std::int32_t lane[C][C - 1][16];
  constexpr Picks() : lane() {
    for (int j = 0; j < C; ++j)
      for (int l = 0; l < 16; ++l) {
        const int element = kInterleave ? 16 * j + l : C * l + j;
        const int from = kInterleave ? element % C : element / 16;
        const int at = kInterleave ? element / C : element % 16;
        for (int k = 1; k < C; ++k)
          lane[j][k - 1][l] = from == k ? 16 + at : from == 0 && k == 1 ? at : l;
      }
  }
};

template <int C, bool kInterleave>
constexpr Picks<C, kInterleave> kPicks{};

// C planes of 16 pixels to 16 pixels of C channels, or back.
template <int C, bool kInterleave>
PYCONV_INLINE void repick(const float* src, std::int64_t src_step, float* dst,
                          std::int64_t dst_step) {
  vf source[C];
#pragma GCC unroll 4
  for (int k = 0; k < C; ++k) source[k] = load(src + k * src_step);
#pragma GCC unroll 4
  for (int j = 0; j < C; ++j) {
    vf out = source[0];
#pragma GCC unroll 4
    for (int k = 1; k < C; ++k)
      out = _mm512_permutex2var_ps(out, iload(kPicks<C, kInterleave>.lane[j][k - 1]), source[k]);
    store(dst + j * dst_step, out);
  }
}

template <int C>
void interleave(const TransposeBlock& b) {
  for (std::int64_t at = 0; at < b.cols; at += 16) {
    const std::int64_t x = at + 16 > b.cols ? b.cols - 16 : at;
    repick<C, true>(b.src + x, b.src_stride, b.dst + x * C, 16);
  }
}

template <int C>
void deinterleave(const TransposeBlock& b) {
  for (std::int64_t at = 0; at < b.rows; at += 16) {
    const std::int64_t x = at + 16 > b.rows ? b.rows - 16 : at;
    repick<C, false>(b.src + x * C, 16, b.dst + x, b.dst_stride);
  }
}

void transpose_block(const TransposeBlock& b);

// Five to eight rows to dense pixels of as many channels, 16 at a time.
void pixels_up_to_8(const TransposeBlock& b) {
  const vi first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  const vi second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
  const int rows = static_cast<int>(b.rows);
  std::int64_t x = 0;
  for (; x + 17 <= b.cols; x += 16) {
    vf low[4], high[4], t[4], u[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      low[r] = load(b.src + r * b.src_stride + x);
      high[r] = r + 4 < rows ? load(b.src + (r + 4) * b.src_stride + x) : zero();
    }
    quarter_columns(low, t);
    quarter_columns(high, u);
    float* dst = b.dst + x * rows;
    const vi order[2] = {first, second};
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      __m512 pixel[4];
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k)
        pixel[k] = _mm512_castpd_ps(_mm512_permutex2var_pd(
            _mm512_castps_pd(t[k]), order[half], _mm512_castps_pd(u[k])));
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k, dst += rows) _mm256_storeu_ps(dst, _mm512_castps512_ps256(pixel[k]));
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k, dst += rows)
        _mm256_storeu_ps(dst, _mm512_extractf32x8_ps(pixel[k], 1));
    }
  }
  TransposeBlock rest = b;
  rest.src += x;
  rest.dst += x * rows;
  rest.cols -= x;
  transpose_block(rest);
}

PYCONV_INLINE bool transpose_narrow(const TransposeBlock& b) {
  if (b.dst_stride == b.rows && b.rows <= 8 && b.cols >= 17) {
    if (b.rows == 2) return interleave<2>(b), true;
    if (b.rows == 3) return interleave<3>(b), true;
    if (b.rows == 4) return interleave<4>(b), true;
    if (b.rows >= 5) return pixels_up_to_8(b), true;
  }
  if (b.src_stride == b.cols && b.cols <= 4 && b.rows >= 16) {
    if (b.cols == 2) return deinterleave<2>(b), true;
    if (b.cols == 3) return deinterleave<3>(b), true;
    if (b.cols == 4) return deinterleave<4>(b), true;
  }
  return false;
}

}  // namespace
}  // namespace avx512
}  // namespace pyconv
#include "kernels/transpose/transpose_body.inl.h"

namespace pyconv {
extern const TransposeFn transpose_f32_16x8_avx512 = avx512::transpose_block;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
