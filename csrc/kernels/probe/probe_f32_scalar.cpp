// The probe on the baseline; see probe.h.
#include <cstdint>

#include "base/target_region.h"
#include "kernels/probe/probe.h"
#include "simd/scalar.h"
#define PYCONV_PROBE_SPLIT
// Order matters: the body is written in the vocabulary above.
#include "kernels/probe/probe_body.inl.h"

namespace pyconv {
namespace scalar {
extern const ProbeKernels probe_f32 = {"probe_f32_scalar", Isa::scalar,      VL,
                                       &probe_fma_body,    &probe_read_body,
                                       &probe_copy_body,   &probe_scale_body};
}  // namespace scalar
}  // namespace pyconv
