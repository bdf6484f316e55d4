// scaled_conv: inputs x (N, C, H, W), weight (O, C, 1, 1), bias (O) or absent, residual or absent, scale
// (N, C, 1, 1). A pointwise convolution of x * scale; made by the pass fuse_scale.
#include "net/ops/common.h"
#include "ops/scaled_pointwise.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  static const char* const names[] = {"x", "weight", "bias", "residual", "scale"};
  for (std::size_t i = 0; i < 5; ++i) args.need_f32(i, names[i]);
  args.need_rank(0, "x", 4);
  args.need_rank(1, "weight", 4);
  args.need_constant(1, "weight");
  args.need_constant(2, "bias");
  if (!args.has(4)) args.refuse("scale: expected one");
  const Shape &x = args.shape(0), &w = args.shape(1);
  const Shape out = {x[0], w[0], x[2], x[3]};
  const auto need = [&](std::size_t i, const Shape& shape) {
    if (args.has(i) && args.shape(i) != shape)
      args.refuse(std::string(names[i]) + ": expected shape " + shape.text() + ", got " +
                  args.shape(i).text());
  };
  need(1, {w[0], x[1], 1, 1});
  need(2, {w[0]});
  need(3, out);
  need(4, {x[0], x[1], 1, 1});
  activation_attribute(args);
  return {{DType::f32, out}};
}

class ScaledConvStep final : public Step {
 public:
  ScaledConvStep(const ScaledPointwiseProblem& problem, const Constant& weight, const Constant* bias)
      : plan_(problem, weight.floats(), bias ? bias->floats() : nullptr) {}
  void run(void* const* tensors, void* workspace) const override {
    plan_.run(static_cast<const float*>(tensors[0]), static_cast<const float*>(tensors[4]),
              static_cast<const float*>(tensors[3]), static_cast<float*>(tensors[5]), workspace);
  }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  std::size_t packed_bytes() const override { return plan_.packed_bytes(); }
  StepReport report() const override {
    return {"scaled_pointwise", plan_.kernels(), plan_.threads(),
            {{"scaled_pointwise", true, "", plan_.cycles(), workspace_bytes()}}};
  }

 private:
  ScaledPointwisePlan plan_;
};

std::unique_ptr<Step> plan(const StepArgs& args) {
  const Shape& x = args.shape(0);
  ScaledPointwiseProblem problem;
  problem.images = x[0];
  problem.ic = x[1];
  problem.pixels = x[2] * x[3];
  problem.oc = args.shape(1)[0];
  problem.src_pixel = args.in[0].pixel;
  problem.dst_pixel = args.out[0].pixel;
  if (args.has(3)) problem.residual_pixel = args.in[3].pixel;
  problem.accuracy = args.options.accuracy;
  problem.activation = activation_attribute(args);
  problem.max_isa = args.options.max_isa;
  problem.threads = args.options.threads;
  return std::make_unique<ScaledConvStep>(problem, *args.constant(1), args.constant(2));
}

std::int64_t macs(const NodeArgs& args) { return args.shape(0).elements() * args.shape(1)[0]; }

OpDef define() {
  OpDef op{};
  op.name = "scaled_conv";
  op.least_inputs = 2;
  op.most_inputs = 5;
  op.attributes = {{"activation", AttributeKind::text}, {"alpha", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::channels_last;
  op.images = 0b01001;
  op.packed = 0b00110;
  op.strided = true;
  op.macs = macs;
  return op;
}

}  // namespace

const OpDef op_scaled_conv = define();

}  // namespace pyconv
