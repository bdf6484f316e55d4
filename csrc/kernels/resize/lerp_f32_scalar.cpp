// See resize.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/resize/resize.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/resize/lerp_body.inl.h"

namespace pyconv {
namespace scalar {
extern const LerpFns lerp_f32 = {&lerp<true>, &lerp<false>};
}  // namespace scalar
}  // namespace pyconv
PYCONV_END_TARGET
