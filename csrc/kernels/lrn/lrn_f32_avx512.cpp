// See lrn.h.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/lrn/lrn.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
#include "kernels/eltwise/math.inl.h"
#include "kernels/lrn/lrn_body.inl.h"

namespace pyconv {
namespace avx512 {
extern const LrnFn lrn_f32 = &lrn;
}  // namespace avx512
}  // namespace pyconv
PYCONV_END_TARGET
#endif
