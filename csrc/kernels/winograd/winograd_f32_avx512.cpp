// 32 registers: the input transform takes two rows of V at a time, 2 (m + 2) vectors and a pass, so that
// F2 and F4 stay in registers and each pixel is loaded once per pair of rows; the output transform
// keeps m (m + 2) vectors, 24 for F4. Cycles per 16 channels of a tile in L1, F4 (Zen 5, 2026-11): input
// 80, where its 120 multiplications and 36 stores need 60; output 60.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/winograd/winograd.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "simd/opaque.inl.h"
#include "kernels/winograd/winograd_body.inl.h"
#include "kernels/winograd/winograd_phases.inl.h"

namespace pyconv {
#define T(pairs, m) {avx512::winograd_input<pairs>, avx512::winograd_output<pairs, m>}
extern const WinogradTransforms winograd_f2_f32_avx512 = T(1, 2);
extern const WinogradTransforms winograd_f4_f32_avx512 = T(2, 4);
extern const WinogradTransforms winograd_f6_f32_avx512 = T(3, 6);
extern const WinogradTransforms winograd_f2_5x5_f32_avx512 = T(2, 2);
extern const WinogradTransforms winograd_f4_5x5_f32_avx512 = T(3, 4);
#undef T
#define T(pairs) {avx512::winograd_phase_input<pairs>, avx512::winograd_phase_output<pairs>}
extern const WinogradTransforms winograd_f2_s2_f32_avx512 = T(1);
extern const WinogradTransforms winograd_f4_s2_f32_avx512 = T(2);
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
