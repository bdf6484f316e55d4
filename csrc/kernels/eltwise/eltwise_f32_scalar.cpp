// The floor: four lanes of portable C++. See eltwise.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/eltwise/eltwise.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/eltwise/eltwise_body.inl.h"

namespace pyconv {
namespace scalar {
extern const EltwiseFns eltwise_f32[] = {
#include "kernels/eltwise/eltwise_kernels.inc"
};
}  // namespace scalar
}  // namespace pyconv
PYCONV_END_TARGET
