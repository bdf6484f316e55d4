// See softmax.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/softmax/softmax.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/softmax/softmax_body.inl.h"

namespace pyconv {
namespace scalar {
extern const SoftmaxFns softmax_f32 = {&softmax_rows, &softmax_columns};
}  // namespace scalar
}  // namespace pyconv
PYCONV_END_TARGET
