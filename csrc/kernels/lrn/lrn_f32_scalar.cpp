// See lrn.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/lrn/lrn.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/lrn/lrn_body.inl.h"

namespace pyconv {
namespace scalar {
extern const LrnFn lrn_f32 = &lrn;
}  // namespace scalar
}  // namespace pyconv
PYCONV_END_TARGET
