// The floor: portable C++ over four emulated lanes.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/winograd/winograd.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "simd/opaque.inl.h"
#include "kernels/winograd/winograd_body.inl.h"

namespace pyconv {
#define T(pairs) {scalar::winograd_input<pairs>, scalar::winograd_output<pairs>}
extern const WinogradTransforms winograd_f2_f32_scalar = T(1);
extern const WinogradTransforms winograd_f4_f32_scalar = T(2);
extern const WinogradTransforms winograd_f6_f32_scalar = T(3);
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
