// See softmax.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/softmax/softmax.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/softmax/softmax_body.inl.h"

namespace pyconv {
namespace avx2 {
extern const SoftmaxFns softmax_f32 = {&softmax_rows, &softmax_columns};
}  // namespace avx2
}  // namespace pyconv
PYCONV_END_TARGET
#endif
