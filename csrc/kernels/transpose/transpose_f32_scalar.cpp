// The floor: 4x4 tiles.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/transpose/transpose.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "kernels/transpose/tile_scalar.inl.h"

namespace pyconv {
namespace scalar {
namespace {

PYCONV_INLINE bool transpose_narrow(const TransposeBlock&) { return false; }

}  // namespace
}  // namespace scalar
}  // namespace pyconv
#include "kernels/transpose/transpose_body.inl.h"

namespace pyconv {
extern const TransposeFn transpose_f32_4x4_scalar = scalar::transpose_block;
}  // namespace pyconv
PYCONV_END_TARGET
