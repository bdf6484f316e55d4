// scaled_conv: inputs x (N, C, H, W), weight (O, C, 1, 1), bias (O) or absent, residual or absent, scale
// (N, C, 1, 1). A pointwise convolution of x * scale; made by the pass fuse_scale.
// normed_conv: the first four likewise, then mean, var, weight and bias of a batch norm (C each, constants; the
// last two may be absent). A pointwise convolution of its result, rectified or not; made by the pass fuse_norm.
#include "net/ops/common.h"
#include "ops/norm.h"
#include "ops/scaled_pointwise.h"

namespace pyconv {

namespace {

void need(const NodeArgs& args, std::size_t i, const char* name, const Shape& shape) {
  if (args.has(i) && args.shape(i) != shape)
    args.refuse(std::string(name) + ": expected shape " + shape.text() + ", got " + args.shape(i).text());
}

// x, weight, bias and residual; the result's shape.
Shape infer_conv(const NodeArgs& args) {
  static const char* const names[] = {"x", "weight", "bias", "residual"};
  for (std::size_t i = 0; i < 4; ++i) args.need_f32(i, names[i]);
  args.need_rank(0, "x", 4);
  args.need_rank(1, "weight", 4);
  args.need_constant(1, "weight");
  args.need_constant(2, "bias");
  const Shape &x = args.shape(0), &w = args.shape(1);
  const Shape out = {x[0], w[0], x[2], x[3]};
  need(args, 1, "weight", {w[0], x[1], 1, 1});
  need(args, 2, "bias", {w[0]});
  need(args, 3, "residual", out);
  activation_attribute(args);
  return out;
}

std::vector<TensorType> infer_scaled(const NodeArgs& args) {
  args.need_f32(4, "scale");
  if (!args.has(4)) args.refuse("scale: expected one");
  const Shape out = infer_conv(args);
  need(args, 4, "scale", {args.shape(0)[0], args.shape(0)[1], 1, 1});
  return {{DType::f32, out}};
}

std::vector<TensorType> infer_normed(const NodeArgs& args) {
  static const char* const names[] = {"norm_mean", "norm_var", "norm_weight", "norm_bias"};
  const Shape out = infer_conv(args);
  for (std::size_t i = 4; i < 8; ++i) {
    args.need_f32(i, names[i - 4]);
    args.need_constant(i, names[i - 4]);
    if (i < 6 && !args.has(i)) args.refuse(std::string(names[i - 4]) + ": expected one");
    need(args, i, names[i - 4], {args.shape(0)[1]});
  }
  return {{DType::f32, out}};
}

ScaledPointwiseProblem problem_of(const StepArgs& args) {
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
  return problem;
}

class ScaledConvStep final : public Step {
 public:
  // norm: the batch norm's numbers; empty where the scale is an input.
  ScaledConvStep(const ScaledPointwiseProblem& problem, const StepArgs& args, FoldedNorm norm)
      : plan_(problem, args.constant(1)->floats(), args.constant(2) ? args.constant(2)->floats() : nullptr),
        name_(problem.normed ? "normed_pointwise" : "scaled_pointwise"),
        normed_(problem.normed),
        norm_(std::move(norm)),
        output_(args.inputs()) {}
  void run(void* const* tensors, void* workspace) const override {
    plan_.run(static_cast<const float*>(tensors[0]),
              normed_ ? norm_.scale.data() : static_cast<const float*>(tensors[4]), norm_.shift.data(),
              static_cast<const float*>(tensors[3]), static_cast<float*>(tensors[output_]), workspace);
  }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  std::size_t packed_bytes() const override {
    return plan_.packed_bytes() + 2 * sizeof(float) * norm_.scale.size();
  }
  StepReport report() const override {
    return {name_, plan_.kernels(), plan_.threads(), {{name_, true, "", plan_.cycles(), workspace_bytes()}}};
  }

 private:
  ScaledPointwisePlan plan_;
  std::string name_;
  bool normed_;
  FoldedNorm norm_;
  std::size_t output_;
};

std::unique_ptr<Step> plan_scaled(const StepArgs& args) {
  return std::make_unique<ScaledConvStep>(problem_of(args), args, FoldedNorm{});
}

std::unique_ptr<Step> plan_normed(const StepArgs& args) {
  ScaledPointwiseProblem problem = problem_of(args);
  problem.normed = true;
  problem.rectified = args.attributes().integer("rectified", 0) != 0;
  const auto floats = [&](std::size_t i) { return args.has(i) ? args.constant(i)->floats() : nullptr; };
  return std::make_unique<ScaledConvStep>(
      problem, args,
      fold_batch_norm(floats(4), floats(5), floats(6), floats(7), args.attributes().number("eps", 1e-5),
                      problem.ic));
}

std::int64_t macs(const NodeArgs& args) { return args.shape(0).elements() * args.shape(1)[0]; }

OpDef define(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = 2;
  op.attributes = {{"activation", AttributeKind::text}, {"alpha", AttributeKind::number}};
  op.layout = LayoutRule::channels_last;
  op.strided = true;
  op.macs = macs;
  return op;
}

OpDef define_scaled() {
  OpDef op = define("scaled_conv");
  op.most_inputs = 5;
  op.infer = infer_scaled;
  op.plan = plan_scaled;
  op.images = 0b01001;
  op.packed = 0b00110;
  return op;
}

OpDef define_normed() {
  OpDef op = define("normed_conv");
  op.most_inputs = 8;
  op.attributes.push_back({"eps", AttributeKind::number});
  op.attributes.push_back({"rectified", AttributeKind::integer});
  op.infer = infer_normed;
  op.plan = plan_normed;
  op.images = 0b00001001;
  op.packed = 0b11110110;
  return op;
}

}  // namespace

const OpDef op_scaled_conv = define_scaled();
const OpDef op_normed_conv = define_normed();

}  // namespace pyconv
