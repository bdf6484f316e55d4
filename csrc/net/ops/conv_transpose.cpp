// conv_transpose: inputs x (N, C, H, W), weight (C, O/groups, kH, kW), bias (O) or absent.
#include <algorithm>

#include "ops/conv_transpose2d.h"

#include "net/ops/common.h"

namespace pyconv {

namespace {

ConvTranspose2dProblem problem_of(const NodeArgs& args) {
  args.need_f32(0, "x");
  args.need_rank(0, "x", 4);
  args.need_rank(1, "weight", 4);
  const Shape &x = args.shape(0), &w = args.shape(1);
  const Pair stride = pair_attribute(args, "stride", 1, 1);
  const Pair dilation = pair_attribute(args, "dilation", 1, 1);
  const Pair extra = pair_attribute(args, "output_padding", 0, 0);
  const Sides padding = sides_attribute(args, "padding", 0);
  ConvTranspose2dProblem p;
  p.g = args.attributes().integer("groups", 1);
  if (p.g < 1 || p.g > std::max<std::int64_t>(1, x[1]) || w[0] != x[1] || x[1] % p.g != 0)
    args.refuse("weight: expected shape (" + std::to_string(x[1]) + ", O/groups, kH, kW) and groups that "
                "divide the channels, got " + w.text() + " and groups=" + std::to_string(p.g));
  p.mb = x[0], p.ic = x[1], p.ih = x[2], p.iw = x[3];
  p.oc = w[1] * p.g, p.kh = w[2], p.kw = w[3];
  p.sh = stride.h, p.sw = stride.w, p.dh = dilation.h, p.dw = dilation.w;
  p.pt = padding.top, p.pb = padding.bottom, p.pl = padding.left, p.pr = padding.right;
  p.eh = extra.h, p.ew = extra.w;
  try {
    p.validate();
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
  return p;
}

std::vector<TensorType> infer(const NodeArgs& args) {
  const ConvTranspose2dProblem p = problem_of(args);
  args.need_f32(1, "weight");
  args.need_constant(1, "weight");
  args.need_f32(2, "bias");
  args.need_constant(2, "bias");
  if (args.has(2) && args.shape(2) != Shape{p.oc})
    args.refuse("bias: expected shape " + Shape{p.oc}.text() + ", got " + args.shape(2).text());
  activation_attribute(args);
  return {{DType::f32, {p.mb, p.oc, p.oh(), p.ow()}}};
}

class ConvTransposeStep final : public Step {
 public:
  ConvTransposeStep(const StepArgs& args, const ConvTranspose2dRequest& request)
      : plan_(problem_of(args), request, args.constant(1)->floats(),
              args.has(2) ? args.constant(2)->floats() : nullptr),
        output_(args.inputs()) {}
  void run(void* const* tensors, void* workspace) const override {
    plan_.run(static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[output_]), workspace);
  }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  std::size_t packed_bytes() const override { return plan_.packed_bytes(); }
  StepReport report() const override { return {"phases", plan_.kernels(), plan_.threads()}; }

 private:
  ConvTranspose2dPlan plan_;
  std::size_t output_;
};

std::unique_ptr<Step> plan(const StepArgs& args) {
  ConvTranspose2dRequest request;
  request.activation = activation_attribute(args);
  request.layout = args.in[0].layout;
  request.max_isa = args.options.max_isa;
  request.threads = args.options.threads;
  return std::make_unique<ConvTransposeStep>(args, request);
}

std::int64_t macs(const NodeArgs& args) { return problem_of(args).macs(); }

OpDef define() {
  OpDef op{};
  op.name = "conv_transpose";
  op.least_inputs = 2;
  op.most_inputs = 3;
  op.attributes = {{"stride", AttributeKind::integers},   {"padding", AttributeKind::integers},
                   {"dilation", AttributeKind::integers}, {"output_padding", AttributeKind::integers},
                   {"groups", AttributeKind::integer},    {"activation", AttributeKind::text},
                   {"alpha", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::channels_last;
  op.packed = 0b110;
  op.macs = macs;
  return op;
}

}  // namespace

const OpDef op_conv_transpose = define();

}  // namespace pyconv
