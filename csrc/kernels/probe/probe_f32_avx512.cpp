// The probe on AVX-512; see probe.h.
#include <cstdint>

#include "base/target_region.h"
#include "kernels/probe/probe.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX512
#include "simd/avx512.h"
// Order matters: the body is written in the vocabulary above.
#include "kernels/probe/probe_body.inl.h"

namespace pyconv {
namespace avx512 {
extern const ProbeKernels probe_f32 = {"probe_f32_avx512",   Isa::avx512,         VL,
                                       &probe_fma_body,  &probe_read_body,
                                       &probe_copy_body, &probe_scale_body};
}  // namespace avx512
}  // namespace pyconv
PYCONV_END_TARGET
#endif
