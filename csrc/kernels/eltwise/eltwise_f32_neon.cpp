// Four floats a step. See eltwise.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/eltwise/eltwise.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/eltwise/eltwise_body.inl.h"

namespace pyconv {
namespace neon {
extern const EltwiseFns eltwise_f32[] = {
#include "kernels/eltwise/eltwise_kernels.inc"
};
}  // namespace neon
}  // namespace pyconv
PYCONV_END_TARGET
#endif
