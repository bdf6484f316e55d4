// The floor: 4 emulated lanes.
#include <cstdint>
#include <cstring>

#include "base/target_region.h"
#include "kernels/linear/linear.h"
#include "simd/fma1.h"

PYCONV_BEGIN_TARGET_SCALAR
#include "simd/scalar.h"
#include "simd/tree_sum.inl.h"
#include "kernels/transpose/tile_scalar.inl.h"
#include "kernels/linear/linear_body.inl.h"

namespace pyconv {
extern const LinearRowsFn linear_f32_dot_scalar = scalar::linear_dot;
extern const LinearRowsFn linear_f32_chain_scalar = scalar::linear_chain;
extern const LinearPanelsFn linear_f32_panels_scalar = scalar::linear_panels;
}  // namespace pyconv
PYCONV_END_TARGET
