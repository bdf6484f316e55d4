// 32 registers of 4 floats; as winograd_f32_avx2.cpp.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/winograd/winograd.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "simd/opaque.inl.h"
#include "kernels/winograd/winograd_body.inl.h"
#include "kernels/winograd/winograd_phases.inl.h"

namespace pyconv {
#define T(pairs, m) {neon::winograd_input<pairs>, neon::winograd_output<pairs, m>}
extern const WinogradTransforms winograd_f2_f32_neon = T(1, 2);
extern const WinogradTransforms winograd_f4_f32_neon = T(2, 4);
extern const WinogradTransforms winograd_f6_f32_neon = T(3, 6);
extern const WinogradTransforms winograd_f2_5x5_f32_neon = T(2, 2);
extern const WinogradTransforms winograd_f4_5x5_f32_neon = T(3, 4);
#undef T
#define T(pairs) {neon::winograd_phase_input<pairs>, neon::winograd_phase_output<pairs>}
extern const WinogradTransforms winograd_f2_s2_f32_neon = T(1);
extern const WinogradTransforms winograd_f4_s2_f32_neon = T(2);
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
