// batch_norm: x (N, C, ...), mean, var, weight, bias (C each, constants; the last two may be absent).
#include "ops/norm.h"

#include "net/ops/common.h"
#include "ops/eltwise.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  args.need_f32(0, "x");
  if (args.shape(0).rank < 2) args.refuse("x: expected (N, C, ...), got " + args.shape(0).text());
  static const char* const names[] = {"x", "mean", "var", "weight", "bias"};
  for (std::size_t i = 1; i < args.inputs(); ++i) {
    args.need_f32(i, names[i]);
    args.need_constant(i, names[i]);
    if (args.has(i) && args.shape(i) != Shape{args.shape(0)[1]})
      args.refuse(std::string(names[i]) + ": expected shape " + Shape{args.shape(0)[1]}.text() +
                  ", got " + args.shape(i).text());
  }
  return infer_same(args);
}

class BatchNormStep final : public Step {
 public:
  explicit BatchNormStep(const StepArgs& args)
      : sizes_(image_sizes(args.shape(0))),
        channels_last_(args.in[0].layout == Layout::nhwc),
        folded_(fold_batch_norm(args.constant(1)->floats(), args.constant(2)->floats(),
                                args.has(3) ? args.constant(3)->floats() : nullptr,
                                args.has(4) ? args.constant(4)->floats() : nullptr,
                                args.attributes().number("eps", 1e-5), sizes_.channels)),
        output_(args.inputs()) {
    problem_.op = EltwiseOp::affine;
    problem_.cap = args.options.max_isa;
    problem_.threads = args.options.threads;
  }
  void run(void* const* tensors, void*) const override {
    EltwiseProblem problem = problem_;
    problem.src = static_cast<const float*>(tensors[0]);
    problem.dst = static_cast<float*>(tensors[output_]);
    const std::int64_t outer = sizes_.images * (channels_last_ ? sizes_.pixels : 1);
    eltwise_per_channel(problem, outer, sizes_.channels, channels_last_ ? 1 : sizes_.pixels,
                        folded_.scale.data(), folded_.shift.data());
  }
  std::size_t packed_bytes() const override { return 2 * sizeof(float) * folded_.scale.size(); }

 private:
  EltwiseProblem problem_;
  ImageSizes sizes_;
  bool channels_last_;
  FoldedNorm folded_;
  std::size_t output_;
};

std::unique_ptr<Step> plan(const StepArgs& args) { return std::make_unique<BatchNormStep>(args); }

OpDef define() {
  OpDef op{};
  op.name = "batch_norm";
  op.least_inputs = 3;
  op.most_inputs = 5;
  op.attributes = {{"eps", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::follow;
  op.packed = 0b11110;
  op.in_place = true;
  return op;
}

}  // namespace

const OpDef op_batch_norm = define();

}  // namespace pyconv
