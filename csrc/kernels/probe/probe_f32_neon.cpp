// The probe on NEON; see probe.h.
#include <cstdint>

#include "base/target_region.h"
#include "kernels/probe/probe.h"

#if PYCONV_ARM64
#include "simd/neon.h"
// Order matters: the body is written in the vocabulary above.
#include "kernels/probe/probe_body.inl.h"

namespace pyconv {
namespace neon {
extern const ProbeKernels probe_f32 = {"probe_f32_neon", Isa::neon,        VL,
                                       &probe_fma_body,  &probe_read_body,
                                       &probe_copy_body, &probe_scale_body};
}  // namespace neon
}  // namespace pyconv
#endif
