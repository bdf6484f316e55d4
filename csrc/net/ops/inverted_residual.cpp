// inverted_residual: inputs x, expand weight and bias (absent: none), depthwise weight and bias, project weight
// and bias (absent: none), residual (absent: none). Made by the pass fuse_inverted_residual; ops/fused_block.h says how it runs.
#include "net/ops/common.h"
#include "net/ops/inverted_residual.h"

namespace pyconv {

namespace {

enum Input : std::size_t { kX, kExpand, kExpandBias, kDepthwise, kDepthwiseBias, kProject, kProjectBias, kResidual };

Activation activation_named(const NodeArgs& args, const char* name, const char* alpha) {
  Activation activation;
  const std::string text = args.attributes().text(name, "none");
  if (!parse_activation(text, &activation))
    args.refuse(std::string(name) + ": expected the name of an activation, got '" + text + "'");
  activation.alpha = static_cast<float>(args.attributes().number(alpha, activation.alpha));
  return activation;
}

void need_weight(const NodeArgs& args, std::size_t input, const char* what, const Shape& shape) {
  args.need_f32(input, what);
  args.need_constant(input, what);
  if (args.has(input) && args.shape(input) != shape)
    args.refuse(std::string(what) + ": expected shape " + shape.text() + ", got " +
                args.shape(input).text());
}

}  // namespace

FusedBlockProblem inverted_residual_problem(const NodeArgs& args) {
  args.need_f32(kX, "x");
  args.need_rank(kX, "x", 4);
  if (!args.has(kDepthwise) || (!args.has(kExpand) && !args.has(kProject)))
    args.refuse("expected depthwise weights, and those of a pointwise convolution before or behind");
  args.need_rank(kDepthwise, "depthwise weight", 4);
  args.need_rank(kProject, "project weight", 4);
  const Shape &x = args.shape(kX), &w = args.shape(kDepthwise);
  const Pair stride = pair_attribute(args, "stride", 1, 1);
  const Sides padding = sides_attribute(args, "padding", 0);
  FusedBlockProblem b;
  b.ic = x[1];
  b.expands = args.has(kExpand);
  b.projects = args.has(kProject);
  b.oc = b.projects ? args.shape(kProject)[0] : w[0];
  Conv2dProblem& p = b.depthwise;
  p.mb = x[0], p.ih = x[2], p.iw = x[3];
  p.ic = p.oc = p.g = w[0];
  p.kh = w[2], p.kw = w[3], p.sh = stride.h, p.sw = stride.w;
  p.pt = padding.top, p.pb = padding.bottom, p.pl = padding.left, p.pr = padding.right;
  if (w[1] != 1) args.refuse("depthwise weight: expected shape (C, 1, kH, kW), got " + w.text());
  if (!b.expands && b.ic != p.ic)
    args.refuse("x: expected " + std::to_string(p.ic) + " channels, got " + x.text());
  b.expanded = activation_named(args, "expand_activation", "expand_alpha");
  b.middle = activation_named(args, "depthwise_activation", "depthwise_alpha");
  b.projected = activation_named(args, "activation", "alpha");
  try {
    p.validate();
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
  return b;
}

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  const FusedBlockProblem b = inverted_residual_problem(args);
  const Conv2dProblem& p = b.depthwise;
  need_weight(args, kExpand, "expand weight", {p.ic, b.ic, 1, 1});
  need_weight(args, kExpandBias, "expand bias", {p.ic});
  need_weight(args, kDepthwise, "depthwise weight", {p.ic, 1, p.kh, p.kw});
  need_weight(args, kDepthwiseBias, "depthwise bias", {p.ic});
  need_weight(args, kProject, "project weight", {b.oc, p.ic, 1, 1});
  need_weight(args, kProjectBias, "project bias", {b.oc});
  const Shape out = {p.mb, b.oc, p.oh(), p.ow()};
  if (args.has(kResidual) && !b.projects) args.refuse("residual: expected none without a projection");
  args.need_f32(kResidual, "residual");
  if (args.has(kResidual) && args.shape(kResidual) != out)
    args.refuse("residual: expected shape " + out.text() + ", got " + args.shape(kResidual).text());
  return {{DType::f32, out}};
}

FusedBlockWeights weights_of(const StepArgs& args) {
  const auto floats = [&](std::size_t i) { return args.has(i) ? args.constant(i)->floats() : nullptr; };
  return {floats(kExpand),        floats(kExpandBias), floats(kDepthwise),
          floats(kDepthwiseBias), floats(kProject),    floats(kProjectBias)};
}

FusedBlockProblem problem_of(const StepArgs& args) {
  FusedBlockProblem block = inverted_residual_problem(args);
  for (Activation* activation : {&block.expanded, &block.middle, &block.projected})
    activation->approximate = args.options.accuracy == Accuracy::fast;
  return block;
}

class InvertedResidualStep final : public Step {
 public:
  InvertedResidualStep(const StepArgs& args, const FusedBlockRequest& request)
      : plan_(problem_of(args), request, weights_of(args)), inputs_(args.inputs()) {}
  void run(void* const* tensors, void* workspace) const override {
    plan_.run(static_cast<const float*>(tensors[kX]),
              inputs_ > kResidual ? static_cast<const float*>(tensors[kResidual]) : nullptr,
              static_cast<float*>(tensors[inputs_]), workspace);
  }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  std::size_t packed_bytes() const override { return plan_.packed_bytes(); }
  StepReport report() const override {
    return {"row_ring", plan_.kernels(), plan_.threads(),
            {{"row_ring", true, "", plan_.cycles(), workspace_bytes()}}};
  }

 private:
  FusedBlockPlan plan_;
  std::size_t inputs_;
};

std::unique_ptr<Step> plan(const StepArgs& args) {
  FusedBlockRequest request;
  request.accuracy = args.options.accuracy;
  request.max_isa = args.options.max_isa;
  request.threads = args.options.threads;
  request.src_pixel = args.in[kX].pixel;
  request.dst_pixel = args.out[0].pixel;
  if (args.has(kResidual)) request.residual_pixel = args.in[kResidual].pixel;
  return std::make_unique<InvertedResidualStep>(args, request);
}

std::int64_t macs(const NodeArgs& args) {
  const FusedBlockProblem b = inverted_residual_problem(args);
  const Conv2dProblem& p = b.depthwise;
  const std::int64_t out = p.mb * p.oh() * p.ow();
  return (b.expands ? p.mb * p.ih * p.iw * b.ic * p.ic : 0) + p.macs() +
         (b.projects ? out * p.ic * b.oc : 0);
}

OpDef define() {
  OpDef op{};
  op.name = "inverted_residual";
  op.least_inputs = 1;
  op.most_inputs = 8;
  op.attributes = {{"stride", AttributeKind::integers},
                   {"padding", AttributeKind::integers},
                   {"expand_activation", AttributeKind::text},
                   {"expand_alpha", AttributeKind::number},
                   {"depthwise_activation", AttributeKind::text},
                   {"depthwise_alpha", AttributeKind::number},
                   {"activation", AttributeKind::text},
                   {"alpha", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::channels_last;
  op.images = 1u << kX | 1u << kResidual;
  op.packed = 0b01111110;
  op.strided = true;
  op.macs = macs;
  return op;
}

}  // namespace

const OpDef op_inverted_residual = define();

}  // namespace pyconv
