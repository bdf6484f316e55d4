// The floor: the fused multiply-add is emulated where the baseline lacks it (simd/fma1.h).
#include "kernels/reference/reference.h"
#include "simd/fma1.h"

#define PYCONV_FMA1(a, b, c) fma1(a, b, c)
#define PYCONV_ISA_NS scalar
#include "kernels/reference/reference_body.inl.h"
namespace pyconv {
extern const ReferenceFn reference_f32_scalar = scalar::reference_row;
}
