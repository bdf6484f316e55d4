// See lrn.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/lrn/lrn.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/lrn/lrn_body.inl.h"

namespace pyconv {
namespace neon {
extern const LrnFn lrn_f32 = &lrn;
}  // namespace neon
}  // namespace pyconv
PYCONV_END_TARGET
#endif
