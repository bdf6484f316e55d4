#include "base/target_region.h"
#include "kernels/eltwise/eltwise.h"

namespace pyconv {

namespace {
constexpr int kOps = 0
#define PYCONV_ELTWISE_KERNEL(op, functor, parameters) +1
#include "kernels/eltwise/eltwise_kernels.inc"
#undef PYCONV_ELTWISE_KERNEL
    ;
}  // namespace

namespace scalar {
extern const EltwiseFns eltwise_f32[kOps];
}
#if PYCONV_X86
namespace avx2 {
extern const EltwiseFns eltwise_f32[kOps];
}
namespace avx512 {
extern const EltwiseFns eltwise_f32[kOps];
}
#endif
#if PYCONV_ARM64
namespace neon {
extern const EltwiseFns eltwise_f32[kOps];
}
#endif

const EltwiseFns& eltwise_fns(EltwiseOp op, [[maybe_unused]] Isa cap) {
  const int row = static_cast<int>(op);
#if PYCONV_X86
  if (isa_allowed(Isa::avx512, cap)) return avx512::eltwise_f32[row];
  if (isa_allowed(Isa::avx2, cap)) return avx2::eltwise_f32[row];
#endif
#if PYCONV_ARM64
  if (isa_allowed(Isa::neon, cap)) return neon::eltwise_f32[row];
#endif
  return scalar::eltwise_f32[row];
}

const std::vector<EltwiseKernel>& eltwise_kernels() {
  static const std::vector<EltwiseKernel> all = [] {
    std::vector<EltwiseKernel> rows;
    int row = 0;
#define PYCONV_ELTWISE_ROW(op, isa, lanes) \
  rows.push_back({{#op "_f32_" #isa, "eltwise", Isa::isa, 1, lanes, 0}, &isa::eltwise_f32[row]});
#if PYCONV_X86
#define PYCONV_ELTWISE_BEST(op) PYCONV_ELTWISE_ROW(op, avx512, 16) PYCONV_ELTWISE_ROW(op, avx2, 8)
#elif PYCONV_ARM64
#define PYCONV_ELTWISE_BEST(op) PYCONV_ELTWISE_ROW(op, neon, 4)
#else
#define PYCONV_ELTWISE_BEST(op)
#endif
#define PYCONV_ELTWISE_KERNEL(op, functor, parameters) \
  PYCONV_ELTWISE_BEST(op)                              \
  PYCONV_ELTWISE_ROW(op, scalar, 4)                    \
  ++row;
#include "kernels/eltwise/eltwise_kernels.inc"
#undef PYCONV_ELTWISE_KERNEL
#undef PYCONV_ELTWISE_BEST
#undef PYCONV_ELTWISE_ROW
    return rows;
  }();
  return all;
}

}  // namespace pyconv
