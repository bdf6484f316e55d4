// Sixteen floats a step. See eltwise.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/eltwise/eltwise.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/eltwise/eltwise_body.inl.h"

namespace pyconv {
namespace avx512 {
extern const EltwiseFns eltwise_f32[] = {
#include "kernels/eltwise/eltwise_kernels.inc"
};
}  // namespace avx512
}  // namespace pyconv
PYCONV_END_TARGET
#endif
