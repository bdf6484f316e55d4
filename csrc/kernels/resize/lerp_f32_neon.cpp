// See resize.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/resize/resize.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/resize/lerp_body.inl.h"

namespace pyconv {
namespace neon {
extern const LerpFns lerp_f32 = {&lerp<true>, &lerp<false>};
}  // namespace neon
}  // namespace pyconv
PYCONV_END_TARGET
#endif
