// 4x4 tiles.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/transpose/transpose.h"

#if PYCONV_ARM64
PYCONV_BEGIN_TARGET_NEON
#include "simd/neon.h"
#include "kernels/transpose/tile_neon.inl.h"

namespace pyconv {
namespace neon {
namespace {

PYCONV_INLINE bool transpose_narrow(const TransposeBlock&) { return false; }

}  // namespace
}  // namespace neon
}  // namespace pyconv
#include "kernels/transpose/transpose_body.inl.h"

namespace pyconv {
extern const TransposeFn transpose_f32_4x4_neon = neon::transpose_block;
}  // namespace pyconv
PYCONV_END_TARGET
#endif
