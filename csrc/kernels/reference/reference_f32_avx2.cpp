// One scalar FMA instruction per term; nothing else of AVX2 is meant to be used.
#include <cstdint>

#include "base/target_region.h"
#include "kernels/reference/reference.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#define PYCONV_FMA1(a, b, c) __builtin_fmaf(a, b, c)
#define PYCONV_ISA_NS avx2
#include "kernels/reference/reference_body.inl.h"
namespace pyconv {
extern const ReferenceFn reference_f32_avx2 = avx2::reference_row;
}
PYCONV_END_TARGET
#endif
