// 16 registers: the tiles of winograd_f32_avx512.cpp, partly spilled; F4 takes 160 and 130 cycles per 16
// channels (Zen 5, 2026-11).
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/winograd/winograd.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "simd/opaque.inl.h"
#include "kernels/winograd/winograd_body.inl.h"
#include "kernels/winograd/winograd_phases.inl.h"

namespace pyconv {
#define T(pairs, m) {avx2::winograd_input<pairs>, avx2::winograd_output<pairs, m>}
extern const WinogradTransforms winograd_f2_f32_avx2 = T(1, 2);
extern const WinogradTransforms winograd_f4_f32_avx2 = T(2, 4);
extern const WinogradTransforms winograd_f6_f32_avx2 = T(3, 6);
extern const WinogradTransforms winograd_f2_5x5_f32_avx2 = T(2, 2);
extern const WinogradTransforms winograd_f4_5x5_f32_avx2 = T(3, 4);
#undef T
#define T(pairs) {avx2::winograd_phase_input<pairs>, avx2::winograd_phase_output<pairs>}
extern const WinogradTransforms winograd_f2_s2_f32_avx2 = T(1);
extern const WinogradTransforms winograd_f4_s2_f32_avx2 = T(2);
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
