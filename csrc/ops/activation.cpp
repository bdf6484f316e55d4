#include "ops/activation.h"

#include "kernels/eltwise/eltwise.h"

namespace pyconv {

EltwiseOp activation_op(const Activation& activation) {
  const bool approximate = activation.approximate;
  switch (activation.kind) {
    case ActivationKind::none:
    case ActivationKind::relu: return EltwiseOp::relu;
    case ActivationKind::relu6: return EltwiseOp::relu6;
    case ActivationKind::leaky_relu: return EltwiseOp::leaky_relu;
    case ActivationKind::elu: return EltwiseOp::elu;
    case ActivationKind::sigmoid:
      return approximate ? EltwiseOp::sigmoid_fast : EltwiseOp::sigmoid;
    case ActivationKind::hard_sigmoid: return EltwiseOp::hard_sigmoid;
    case ActivationKind::silu: return approximate ? EltwiseOp::silu_fast : EltwiseOp::silu;
    case ActivationKind::hard_swish: return EltwiseOp::hard_swish;
    case ActivationKind::tanh: return approximate ? EltwiseOp::tanh_fast : EltwiseOp::tanh;
    case ActivationKind::gelu: return EltwiseOp::gelu;
    case ActivationKind::gelu_tanh: return EltwiseOp::gelu_tanh;
  }
  return EltwiseOp::relu;
}

void activate_rows(const Activation& activation, Isa cap, float* data, std::int64_t rows,
                   std::int64_t cols, std::int64_t stride) {
  if (activation.kind == ActivationKind::none) return;
  const EltwiseFn fn = eltwise_fns(activation_op(activation), cap).uniform;
  const bool dense = cols == stride;
  EltwiseArgs args;
  args.p = &activation.alpha;
  args.n = dense ? rows * cols : cols;
  for (std::int64_t r = 0; r < (dense ? 1 : rows); ++r) {
    args.src = args.dst = data + r * stride;
    fn(args);
  }
}

namespace {

// Vector operations for one vector of floats, of which two begin in a cycle, or one where the data path is half
// as wide as the vector. Zen 4, AVX2 and AVX-512, behind a pointwise and a depthwise convolution, 2026-11; the
// functions by themselves on Zen 5 (docs/numerics.md) are within a fifth of it.
double operations(const Activation& activation) {
  switch (activation.kind) {
    case ActivationKind::none:
    case ActivationKind::relu:
    case ActivationKind::relu6: return 0.0;
    case ActivationKind::leaky_relu: return 2.5;
    case ActivationKind::hard_sigmoid: return 4.0;
    case ActivationKind::hard_swish: return 5.0;
    case ActivationKind::sigmoid: return activation.approximate ? 11.0 : 14.0;
    case ActivationKind::silu: return activation.approximate ? 11.0 : 18.0;
    case ActivationKind::elu: return 15.0;
    case ActivationKind::tanh: return activation.approximate ? 13.0 : 21.0;
    case ActivationKind::gelu: return 24.0;
    case ActivationKind::gelu_tanh: return 34.0;
  }
  return 0.0;
}

constexpr double kEmulated = 5.0;  // cycles of a float's operation where fused multiply-adds are emulated

}  // namespace

double activation_cycles(const Activation& activation, Isa cap, std::int64_t floats) {
  const double all = operations(activation) * static_cast<double>(floats);
  if (cap == Isa::scalar) return kEmulated * all;
  const double lanes = cap == Isa::avx512 ? 16.0 : cap == Isa::avx2 ? 8.0 : 4.0;
  return all / (lanes * fmas_per_cycle(cap));
}

}  // namespace pyconv
