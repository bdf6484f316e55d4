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

}  // namespace pyconv
