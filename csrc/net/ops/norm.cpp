// batch_norm: x (N, C, ...), mean, var, weight, bias (C each, constants; the last two may be absent), with an
// activation after it where a pass put one. lrn: x (N, C, ...).
#include "ops/norm.h"

#include "net/ops/common.h"
#include "ops/activation.h"
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
  activation_attribute(args);
  return infer_same(args);
}

// The floats of an image's pixels, or of one row of a matrix, and how far apart they lie.
EltwiseRows rows_of(const StepArgs& args, const ImageSizes& sizes) {
  const bool nhwc = args.in[0].layout == Layout::nhwc;
  EltwiseRows rows;
  rows.rows = sizes.images * (nhwc ? sizes.pixels : 1);
  rows.cols = sizes.channels;
  rows.src_stride = args.in[0].pixel ? args.in[0].pixel : sizes.channels;
  rows.dst_stride = args.out[0].pixel ? args.out[0].pixel : sizes.channels;
  return rows;
}

class BatchNormStep final : public Step {
 public:
  explicit BatchNormStep(const StepArgs& args)
      : sizes_(image_sizes(args.shape(0))),
        in_rows_(args.in[0].layout == Layout::nhwc || sizes_.pixels == 1),
        rows_(rows_of(args, sizes_)),
        folded_(fold_batch_norm(args.constant(1)->floats(), args.constant(2)->floats(),
                                args.has(3) ? args.constant(3)->floats() : nullptr,
                                args.has(4) ? args.constant(4)->floats() : nullptr,
                                args.attributes().number("eps", 1e-5), sizes_.channels)),
        activation_(activation_attribute(args)),
        output_(args.inputs()) {
    problem_.op = EltwiseOp::affine;
    problem_.cap = args.options.max_isa;
    problem_.threads = args.options.threads;
  }
  void run(void* const* tensors, void*) const override {
    EltwiseProblem problem = problem_;
    problem.src = static_cast<const float*>(tensors[0]);
    problem.dst = static_cast<float*>(tensors[output_]);
    const float *scale = folded_.scale.data(), *shift = folded_.shift.data();
    if (in_rows_) return eltwise_rows(problem, rows_, scale, shift, activation_);
    eltwise_per_channel(problem, sizes_.images, sizes_.channels, sizes_.pixels, scale, shift);
    if (activation_.kind == ActivationKind::none) return;
    problem.op = activation_op(activation_);
    problem.src = problem.dst;
    eltwise_uniform(problem, sizes_.images * sizes_.channels * sizes_.pixels, &activation_.alpha);
  }
  std::size_t packed_bytes() const override { return 2 * sizeof(float) * folded_.scale.size(); }

 private:
  EltwiseProblem problem_;
  ImageSizes sizes_;
  bool in_rows_;  // channels are last
  EltwiseRows rows_;
  FoldedNorm folded_;
  Activation activation_;
  std::size_t output_;
};

std::unique_ptr<Step> plan(const StepArgs& args) { return std::make_unique<BatchNormStep>(args); }

OpDef define() {
  OpDef op{};
  op.name = "batch_norm";
  op.least_inputs = 3;
  op.most_inputs = 5;
  op.attributes = {{"eps", AttributeKind::number},
                   {"activation", AttributeKind::text},
                   {"alpha", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.layout = LayoutRule::follow;
  op.packed = 0b11110;
  op.in_place = true;
  op.strided = true;
  return op;
}

LrnProblem lrn_problem(const NodeArgs& args) {
  args.need_f32(0, "x");
  if (args.shape(0).rank < 2) args.refuse("x: expected (N, C, ...), got " + args.shape(0).text());
  const ImageSizes sizes = image_sizes(args.shape(0));
  LrnProblem problem;
  problem.images = sizes.images;
  problem.channels = sizes.channels;
  problem.pixels = sizes.pixels;
  problem.size = args.attributes().integer("size", 5);
  problem.alpha = args.attributes().number("alpha", 1e-4);
  problem.beta = args.attributes().number("beta", 0.75);
  problem.k = args.attributes().number("k", 1.0);
  if (problem.size < 1) args.refuse("size: expected 1 or more, got " + std::to_string(problem.size));
  return problem;
}

std::vector<TensorType> infer_lrn(const NodeArgs& args) {
  lrn_problem(args);
  return infer_same(args);
}

class LrnStep final : public Step {
 public:
  explicit LrnStep(const StepArgs& args) : problem_(lrn_problem(args)) {
    problem_.channels_last = args.in[0].layout == Layout::nhwc;
    problem_.cap = args.options.max_isa;
    problem_.threads = args.options.threads;
  }
  void run(void* const* tensors, void*) const override {
    lrn(problem_, static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[1]));
  }

 private:
  LrnProblem problem_;
};

std::unique_ptr<Step> plan_lrn(const StepArgs& args) { return std::make_unique<LrnStep>(args); }

OpDef define_lrn() {
  OpDef op{};
  op.name = "lrn";
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"size", AttributeKind::integer},
                   {"alpha", AttributeKind::number},
                   {"beta", AttributeKind::number},
                   {"k", AttributeKind::number}};
  op.infer = infer_lrn;
  op.plan = plan_lrn;
  op.layout = LayoutRule::follow;
  return op;
}

}  // namespace

const OpDef op_batch_norm = define();
const OpDef op_lrn = define_lrn();

}  // namespace pyconv
