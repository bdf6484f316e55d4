// 32 registers: a pass holds m + 2 inputs and its results; between the passes F2 stays in registers,
// F4 and F6 rest in L1, where the stores (one per cycle) are the bound.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/winograd/winograd.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "kernels/winograd/winograd_body.inl.h"

namespace pyconv {
#define T(pairs) {avx512::winograd_input<pairs>, avx512::winograd_output<pairs>}
extern const WinogradTransforms winograd_f2_f32_avx512 = T(1);
extern const WinogradTransforms winograd_f4_f32_avx512 = T(2);
extern const WinogradTransforms winograd_f6_f32_avx512 = T(3);
#undef T
}  // namespace pyconv
PYCONV_END_TARGET
#endif
