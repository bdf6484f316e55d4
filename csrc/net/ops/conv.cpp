// conv: inputs x (N, C, H, W), weight (O, C/groups, kH, kW), bias (O) or absent, residual (shaped like the
// output) or absent. The residual is added to the sum, the activation applied to that.
#include "net/ops/conv.h"

#include "net/ops/common.h"
#include "ops/conv2d/plan.h"

namespace pyconv {

Conv2dProblem conv_problem(const NodeArgs& args) {
  args.need_f32(0, "x");
  args.need_rank(0, "x", 4);
  args.need_rank(1, "weight", 4);
  const Shape &x = args.shape(0), &w = args.shape(1);
  const Pair stride = pair_attribute(args, "stride", 1, 1);
  const Pair dilation = pair_attribute(args, "dilation", 1, 1);
  const Sides padding = sides_attribute(args, "padding", 0);
  Conv2dProblem p;
  p.mb = x[0], p.ic = x[1], p.ih = x[2], p.iw = x[3];
  p.oc = w[0], p.kh = w[2], p.kw = w[3];
  p.sh = stride.h, p.sw = stride.w, p.dh = dilation.h, p.dw = dilation.w;
  p.pt = padding.top, p.pb = padding.bottom, p.pl = padding.left, p.pr = padding.right;
  p.g = args.attributes().integer("groups", 1);
  if (p.g < 1 || p.ic % p.g != 0 || p.oc % p.g != 0 || w[1] != p.ic / p.g)
    args.refuse("weight: expected shape (O, " +
                (p.g >= 1 && p.ic % p.g == 0 ? std::to_string(p.ic / p.g) : "C/groups") +
                ", kH, kW) for " + std::to_string(p.ic) + " channels and groups=" +
                std::to_string(p.g) + ", got " + w.text());
  try {
    p.validate();
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
  return p;
}

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  const Conv2dProblem p = conv_problem(args);
  args.need_f32(1, "weight");
  args.need_constant(1, "weight");
  args.need_f32(2, "bias");
  args.need_constant(2, "bias");
  if (args.has(2) && args.shape(2) != Shape{p.oc})
    args.refuse("bias: expected shape " + Shape{p.oc}.text() + ", got " + args.shape(2).text());
  const Shape out = {p.mb, p.oc, p.oh(), p.ow()};
  args.need_f32(3, "residual");
  if (args.has(3) && args.shape(3) != out)
    args.refuse("residual: expected shape " + out.text() + ", got " + args.shape(3).text());
  activation_attribute(args);
  return {{DType::f32, out}};
}

class ConvStep final : public Step {
 public:
  ConvStep(const Conv2dProblem& problem, const Conv2dRequest& request,
           const std::string& algorithm, const Constant& weight, const Constant* bias)
      : plan_(problem, request, algorithm, weight.floats(), bias ? bias->floats() : nullptr) {}

  void run(void* const* tensors, void* workspace) const override {
    plan_.run(static_cast<const float*>(tensors[0]),
              static_cast<float*>(tensors[inputs_]), workspace,
              inputs_ > 3 ? static_cast<const float*>(tensors[3]) : nullptr);
  }
  void set_inputs(std::size_t count) { inputs_ = count; }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  std::size_t packed_bytes() const override { return plan_.packed_bytes(); }
  int in_place_input() const override { return inputs_ > 3 && plan_.residual_in_place() ? 3 : -1; }

  StepReport report() const override {
    StepReport report{plan_.algorithm(), plan_.kernels(), plan_.threads(), {}, plan_.problem().str()};
    for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
      if (algorithm.only_when_forced && report.algorithm != algorithm.name) {
        report.candidates.push_back({algorithm.name, false, "taken only where it is named", 0.0, 0});
        continue;
      }
      Verdict v = consider_conv2d(algorithm, plan_.problem(), plan_.request());
      report.candidates.push_back(
          {algorithm.name, v.accepted, std::move(v.reason), v.cost, v.workspace_bytes});
    }
    return report;
  }

 private:
  Conv2dPlan plan_;
  std::size_t inputs_ = 0;
};

// The cheapest algorithm whose workspace stays within the limit, else the one with the least.
std::string within_limit(const Conv2dProblem& problem, const Conv2dRequest& request,
                         std::size_t limit) {
  const Conv2dChoice first = choose_conv2d(problem, request, "auto");
  if (first.verdict.workspace_bytes <= limit) return first.algorithm->name;
  const char *cheapest = nullptr, *least = first.algorithm->name;
  double cost = 0;
  std::size_t least_bytes = first.verdict.workspace_bytes;
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    if (algorithm.only_when_forced) continue;
    const Verdict verdict = consider_conv2d(algorithm, problem, request);
    if (!verdict.accepted) continue;
    if (verdict.workspace_bytes < least_bytes) {
      least = algorithm.name;
      least_bytes = verdict.workspace_bytes;
    }
    if (verdict.workspace_bytes <= limit && (!cheapest || verdict.cost < cost)) {
      cheapest = algorithm.name;
      cost = verdict.cost;
    }
  }
  return cheapest ? cheapest : least;
}

Conv2dRequest request_of(const StepArgs& args) {
  Conv2dRequest request;
  request.accuracy = args.options.accuracy;
  request.max_isa = args.options.max_isa;
  request.threads = args.options.threads;
  request.activation = activation_attribute(args);
  request.src_layout = args.in[0].layout;
  request.src_pixel = args.in[0].pixel;
  request.dst_layout = args.out[0].layout;
  request.dst_pixel = args.out[0].pixel;
  request.residual = args.has(3);
  if (args.has(3)) request.residual_pixel = args.in[3].pixel;
  return request;
}

std::string algorithm_of(const StepArgs& args, const Conv2dProblem& problem,
                         const Conv2dRequest& request) {
  return args.algorithm == "auto" ? within_limit(problem, request, args.options.workspace_limit)
                                  : args.algorithm;
}

bool planes(const StepArgs& args) {
  if (args.has(3)) return false;  // a residual lies as the output does
  const Conv2dProblem problem = conv_problem(args);
  const Conv2dRequest request = request_of(args);
  const std::string name = algorithm_of(args, problem, request);
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    if (name != algorithm.name) continue;
    const Verdict verdict = consider_conv2d(algorithm, problem, request);
    return verdict.accepted && verdict.dst_layout == Layout::nchw;
  }
  return false;
}

std::unique_ptr<Step> plan(const StepArgs& args) {
  const Conv2dRequest request = request_of(args);
  try {
    const Conv2dProblem problem = conv_problem(args);
    const std::string algorithm = algorithm_of(args, problem, request);
    auto step = std::make_unique<ConvStep>(problem, request, algorithm, *args.constant(1),
                                           args.constant(2));
    step->set_inputs(args.inputs());
    return step;
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
}

std::int64_t macs(const NodeArgs& args) { return conv_problem(args).macs(); }

OpDef define() {
  OpDef op{};
  op.name = "conv";
  op.least_inputs = 2;
  op.most_inputs = 4;
  op.attributes = {{"stride", AttributeKind::integers},   {"padding", AttributeKind::integers},
                   {"dilation", AttributeKind::integers}, {"groups", AttributeKind::integer},
                   {"activation", AttributeKind::text},   {"alpha", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::channels_last;
  op.images = 0b1001;
  op.packed = 0b0110;
  op.any_source = true;
  op.planes = planes;
  op.strided = true;
  op.macs = macs;
  return op;
}

}  // namespace

const OpDef op_conv = define();

}  // namespace pyconv
