// The probe on AVX2; see probe.h.
#include <cstdint>

#include "base/target_region.h"
#include "kernels/probe/probe.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
// Order matters: the body is written in the vocabulary above.
#include "kernels/probe/probe_body.inl.h"

namespace pyconv {
namespace avx2 {
extern const ProbeKernels probe_f32 = {"probe_f32_avx2",   Isa::avx2,         VL,
                                       &probe_fma_body,  &probe_read_body,
                                       &probe_copy_body, &probe_scale_body};
}  // namespace avx2
}  // namespace pyconv
PYCONV_END_TARGET
#endif
