// Winograd transforms F(m x m, r x r): a tile of m x m outputs from a x a inputs, a = m + r - 1, with a^2
// multiplications per pair of channels instead of (m r)^2 (Lavin and Gray, arXiv:1509.09308):
//
//     Y = A^T [ sum_c (G g_c G^T) * (B^T d_c B) ] A        * element by element
//
// Points: 0, the pairs +-kWinogradPoints, infinity (Toom-Cook, transposed), a in all: one pair gives
// F(2,3), two F(4,3) and F(2,5), three F(6,3) and F(4,5). With E(t) = prod (t - p^2) = sum e_k t^k and E_i = E / (t - p_i^2) =
// sum q_ik t^k the matrices are, row by row for the points 0, +p_i, -p_i, infinity,
//
//     B^T   sum e_k d_2k,   sum q_ik d_(2k+2) +- p_i sum q_ik d_(2k+1),   sum e_k d_(2k+1)
//     G     g_0 / e_0,      sum_k (+-p_i)^k g_k / (2 p_i^2 E_i(p_i^2)),            g_(r-1)
//     A^T   y_j = [j = 0] m_0 + sum_i p_i^j (m_+i + (-1)^j m_-i) + [j = m-1] m_inf
//
// The points of F4 halve the error of the usual 1, 2 at the same cost: |A||G||g||B||d||A| over |g||d|
// is 70 instead of 295 (Barabasz et al., arXiv:1803.10986, chose points the same way).
//
// Stride 2, 3 x 3 taps, by phases: outputs y_j = g_0 d_2j + g_1 d_(2j+1) + g_2 d_(2j+2) are F(m, 2) of the even
// inputs with (g_0, g_2), on the points 0 and +-p without infinity, and m plain products of the odd inputs with g_1,
// a = 2 m + 1 inputs and elements. With the rows of above over e_k = d_2k,
//
//     B^T   those of the points, then d_1, d_3, .. d_(2m-1)
//     G     those of the points over (g_0, g_2), then g_1 m times
//     A^T   y_j = [j = 0] m_0 + sum_i p_i^j (m_+i + (-1)^j m_-i) + m_(m+1+j)
//
// so that (m + 2)^2 of the (2 m + 1)^2 transformed weights differ, 81 products for 16 outputs where the sum has 144.
// The points 3/4 and 5/2 of m = 4 amplify by 17, a tenth more than the best pair of sixteenths.
//
// Element e = i*a + j of a transformed tile is a vector over channels; the elements of one tile
// lie element_stride apart, so that all tiles of one element are the rows of one matrix:
//
//     e=0: [tile 0: C floats, pad][tile 1: C floats, pad] ...
//     e=1: ...
//
// Rounding. d and g are exact, a fused multiply-add rounds once, G g G^T is taken in double and
// rounded once: |error| <= gamma(C + 2 a + 2) * (amplified + |bias|), gamma(n) = n u / (1 - n u),
// u = 2^-24,
//     amplified = |A^T| [ sum_c (|G||g_c||G^T|) * (|B^T||d_c||B|) ] |A|
// where C counts the sum, 1 G g G^T, a/2 each of the two passes of B and of A, 1 the bias; a
// residual adds one. By phases gamma(C + 2 m + 7): m / 2 + 1 for each pass, one more where the last meets the odd
// rows. No element may overflow or underflow. An infinite or NaN input makes
// NaN of all m x m outputs of the tiles that see it; by phases, NaN or an infinity of those that see it and of no
// more than the tile.
#pragma once
#include <cstdint>

#include "kernels/registry.h"

namespace pyconv {

// [pairs - 1]: the positive points.
constexpr float kWinogradPoints[3][3] = {{1.0f}, {0.625f, 1.75f}, {0.5f, 1.0f, 2.0f}};
constexpr float kWinogradPhasePoints[2][3] = {{1.0f}, {0.75f, 2.5f}};
constexpr const float* winograd_points(int pairs, int stride) {
  return stride == 1 ? kWinogradPoints[pairs - 1] : kWinogradPhasePoints[pairs - 1];
}
// Floats by which channel counts of scratch rows are rounded up; no vector is longer.
constexpr int kWinogradPad = 16;

// One tile into its a^2 elements. Reads `channels` floats of each pixel, writes up to the next
// multiple of kWinogradPad.
struct WinogradInput {
  const float* src = nullptr;           // first pixel of the tile, where all of them lie in the image
  std::int64_t row_stride = 0, pixel_stride = 0;
  const float* const* pixels = nullptr;  // else, and with stride 2 always, a pointer per pixel, row by row
  std::int64_t channels = 0;
  float* dst = nullptr;
  std::int64_t element_stride = 0;
};

// a^2 elements into `rows` x `cols` outputs of the tile: bias, residual, clamp (NaN passes).
struct WinogradOutput {
  const float* src = nullptr;  // readable up to the next multiple of kWinogradPad, as is bias
  std::int64_t element_stride = 0;
  float* dst = nullptr;
  std::int64_t row_stride = 0, pixel_stride = 0;
  int rows = 0, cols = 0;                         // 1..m each
  std::int64_t channels = 0;
  const float* bias = nullptr;
  const float* residual = nullptr;  // may be null
  std::int64_t residual_row = 0, residual_pixel = 0;
  float lo = 0, hi = 0;
};

using WinogradInputFn = void (*)(const WinogradInput&);
using WinogradOutputFn = void (*)(const WinogradOutput&);

struct WinogradTransforms {
  WinogradInputFn input;
  WinogradOutputFn output;
};

struct WinogradKernel {
  KernelInfo info;  // tile_rows = m
  int taps;         // r
  int stride;
  const WinogradTransforms* transforms;
};

const std::vector<WinogradKernel>& winograd_kernels();

}  // namespace pyconv
