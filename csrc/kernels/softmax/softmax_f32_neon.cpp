// See softmax.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/softmax/softmax.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/softmax/softmax_body.inl.h"

namespace pyconv {
namespace neon {
extern const SoftmaxFns softmax_f32 = {&softmax_rows, &softmax_columns};
}  // namespace neon
}  // namespace pyconv
PYCONV_END_TARGET
#endif
