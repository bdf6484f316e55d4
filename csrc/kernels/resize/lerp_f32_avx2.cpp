// See resize.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/resize/resize.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/resize/lerp_body.inl.h"

namespace pyconv {
namespace avx2 {
extern const LerpFns lerp_f32 = {&lerp<true>, &lerp<false>};
}  // namespace avx2
}  // namespace pyconv
PYCONV_END_TARGET
#endif
