// Images of any number of axes. conv_nd: x (N, C, ...), weight (O, C/groups, k...), bias (O) or absent.
// conv_transpose_nd: x, weight (C, O/groups, k...), bias. Attributes stride, dilation, padding (all
// befores, then all afters), groups, output_padding. conv and conv_transpose are for two axes, and fast.
#include <algorithm>

#include "net/ops/tensor_common.h"
#include "ops/tensor/conv_nd.h"

namespace pyconv {

namespace {

template <bool kTransposed>
ConvNdProblem conv_nd_problem(const NodeArgs& args) {
  const Shape &x = args.shape(0), &w = args.shape(1);
  const Attributes& a = args.attributes();
  if (x.rank < 3 || w.rank != x.rank)
    args.refuse("x, weight: expected (N, C, ...) and as many dimensions, got " + x.text() + " and " +
                w.text());
  ConvNdProblem p;
  p.transposed = kTransposed;
  p.g = a.integer("groups", 1);
  p.mb = x[0], p.ic = x[1];
  // No more groups than channels, so that their product with others stays far from overflow.
  if (p.g < 1 || p.g > std::max<std::int64_t>(1, p.ic))
    args.refuse("groups: expected 1 to " + std::to_string(p.ic) + ", the channels of x, got " +
                std::to_string(p.g));
  p.oc = kTransposed ? w[1] * p.g : w[0];
  p.rank = x.rank - 2;
  const auto rank = static_cast<std::size_t>(p.rank);
  const Integers stride = a.integers("stride", Integers(rank, 1));
  const Integers dilation = a.integers("dilation", Integers(rank, 1));
  const Integers extra = a.integers("output_padding", Integers(rank, 0));
  const Integers padding = a.integers("padding", Integers(2 * rank, 0));
  if (stride.size() != rank || dilation.size() != rank || extra.size() != rank ||
      padding.size() != 2 * rank)
    args.refuse("stride, dilation, output_padding, padding: expected one of each (two of padding) for each of " +
                std::to_string(p.rank) + " axes");
  if (p.ic % p.g != 0 || p.oc % p.g != 0 ||
      (kTransposed ? w[0] != p.ic : w[1] != p.ic / p.g))
    args.refuse("weight: expected one for " + std::to_string(p.ic) + " channels and groups=" +
                std::to_string(p.g) + ", got shape " + w.text());
  for (std::size_t i = 0; i < rank; ++i) {
    ConvNdAxis& axis = p.axes[i];
    axis.size = x[static_cast<int>(i) + 2], axis.kernel = w[static_cast<int>(i) + 2];
    axis.stride = stride[i], axis.dilation = dilation[i], axis.extra = extra[i];
    axis.before = padding[i], axis.after = padding[rank + i];
  }
  refusing(args, [&] {
    p.validate();
    return 0;
  });
  return p;
}

template <bool kTransposed>
std::vector<TensorType> infer(const NodeArgs& args) {
  for (const std::size_t i : {0u, 1u, 2u}) args.need_f32(i, i == 0 ? "x" : i == 1 ? "weight" : "bias");
  args.need_constant(1, "weight");
  args.need_constant(2, "bias");
  const ConvNdProblem p = conv_nd_problem<kTransposed>(args);
  if (args.has(2) && args.shape(2) != Shape{p.oc})
    args.refuse("bias: expected shape " + Shape{p.oc}.text() + ", got " + args.shape(2).text());
  Shape out = args.shape(0);
  out[1] = p.oc;
  for (int i = 0; i < p.rank; ++i) out[i + 2] = p.out(i);
  return {{DType::f32, out}};
}

template <bool kTransposed>
std::unique_ptr<Step> plan(const StepArgs& args) {
  const ConvNdProblem p = conv_nd_problem<kTransposed>(args);
  const std::size_t out = args.inputs();
  LinearRequest request;
  request.accuracy = Accuracy::exact;
  request.max_isa = args.options.max_isa;
  request.threads = args.options.threads;
  const auto any = std::make_shared<ConvNdPlan>(p, request, args.constant(1)->floats(),
                                                args.has(2) ? args.constant(2)->floats() : nullptr);
  return function_step(
      [any, out](void* const* tensors, void* workspace) {
        any->run(static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[out]), workspace);
      },
      any->workspace_bytes(), any->packed_bytes());
}

template <bool kTransposed>
std::int64_t macs(const NodeArgs& args) {
  const ConvNdProblem p = conv_nd_problem<kTransposed>(args);
  const std::int64_t per_pixel = p.taps() * p.ic / p.g * p.oc;
  return p.mb * (kTransposed ? p.pixels() : p.out_pixels()) * per_pixel;
}

template <bool kTransposed>
OpDef define(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = 2;
  op.most_inputs = 3;
  op.attributes = {{"stride", AttributeKind::integers},
                   {"dilation", AttributeKind::integers},
                   {"padding", AttributeKind::integers},
                   {"groups", AttributeKind::integer},
                   {"output_padding", AttributeKind::integers}};
  op.infer = infer<kTransposed>;
  op.plan = plan<kTransposed>;
  op.packed = 0b110;
  op.macs = macs<kTransposed>;
  return op;
}

}  // namespace

const OpDef op_conv_nd = define<false>("conv_nd");
const OpDef op_conv_transpose_nd = define<true>("conv_transpose_nd");

}  // namespace pyconv
