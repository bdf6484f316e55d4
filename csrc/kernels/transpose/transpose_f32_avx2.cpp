// 8x8 tiles, and nothing else: narrow images go through partial tiles.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/transpose/transpose.h"

#if PYCONV_X86
PYCONV_BEGIN_TARGET_AVX2
#include "simd/avx2.h"
#include "kernels/transpose/tile_avx2.inl.h"

namespace pyconv {
namespace avx2 {
namespace {

PYCONV_INLINE bool transpose_narrow(const TransposeBlock&) { return false; }

}  // namespace
}  // namespace avx2
}  // namespace pyconv
#include "kernels/transpose/transpose_body.inl.h"

namespace pyconv {
extern const TransposeFn transpose_f32_8x8_avx2 = avx2::transpose_block;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
