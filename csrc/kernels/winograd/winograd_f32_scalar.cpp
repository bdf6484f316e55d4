// The floor: portable C++ over four emulated lanes. Passes are called: unrolled into their tiles they are a quarter
// of a megabyte.
#define PYCONV_WINOGRAD_PASS __attribute__((noinline))
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/winograd/winograd.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "simd/opaque.inl.h"
#include "kernels/winograd/winograd_body.inl.h"
#include "kernels/winograd/winograd_phases.inl.h"

namespace pyconv {
#define T(pairs, m) {scalar::winograd_input<pairs>, scalar::winograd_output<pairs, m>}
extern const WinogradTransforms winograd_f2_f32_scalar = T(1, 2);
extern const WinogradTransforms winograd_f4_f32_scalar = T(2, 4);
extern const WinogradTransforms winograd_f6_f32_scalar = T(3, 6);
extern const WinogradTransforms winograd_f2_5x5_f32_scalar = T(2, 2);
extern const WinogradTransforms winograd_f4_5x5_f32_scalar = T(3, 4);
#undef T
#define T(pairs) {scalar::winograd_phase_input<pairs>, scalar::winograd_phase_output<pairs>}
extern const WinogradTransforms winograd_f2_s2_f32_scalar = T(1);
extern const WinogradTransforms winograd_f4_s2_f32_scalar = T(2);
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
