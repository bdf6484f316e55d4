// Functions of one element: relu to exp. add and mul: two operands with numpy's broadcasting, and an
// activation after it where a pass put one.
#include "ops/eltwise.h"

#include "net/ops/tensor_binary.h"
#include "ops/activation.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer_unary(const NodeArgs& args) {
  args.need_f32(0, "x");
  return infer_same(args);
}

class UnaryStep final : public Step {
 public:
  UnaryStep(const StepArgs& args, EltwiseOp op, double alpha)
      : n_(args.shape(0).elements()), alpha_(static_cast<float>(alpha)) {
    problem_.op = op;
    problem_.cap = args.options.max_isa;
    problem_.threads = args.options.threads;
  }
  void run(void* const* tensors, void*) const override {
    EltwiseProblem problem = problem_;
    problem.src = static_cast<const float*>(tensors[0]);
    problem.dst = static_cast<float*>(tensors[1]);
    eltwise_uniform(problem, n_, &alpha_);
  }

 private:
  EltwiseProblem problem_;
  std::int64_t n_;
  float alpha_;
};

// An axis as it lies in memory, and whether an operand varies along it.
std::vector<BroadcastAxis> axes_in_memory(const Shape& full, const Shape& operand, Layout layout) {
  std::vector<BroadcastAxis> axes;
  const bool nhwc = layout == Layout::nhwc;
  static const int order[] = {0, 2, 3, 1};
  for (int i = 0; i < full.rank; ++i) {
    const int axis = nhwc ? order[i] : i;
    const int own = axis - (full.rank - operand.rank);
    axes.push_back({full[axis], own >= 0 && operand[own] != 1});
  }
  return axes;
}

// Whether the operand, as it lies, is dense over the axes along which it varies in that order.
bool in_memory_order(const Shape& full, const Shape& operand, Layout layout) {
  if (layout == Layout::nchw || operand.rank == full.rank) return true;
  return operand.rank < 3 || operand[operand.rank - 3] == 1 ||
         (operand[operand.rank - 1] == 1 && operand[operand.rank - 2] == 1);
}

template <BinaryOp op>
std::vector<TensorType> infer_binary(const NodeArgs& args) {
  if (args.input(0).dtype != DType::f32 && activation_attribute(args).kind != ActivationKind::none)
    args.refuse(std::string("activation: expected none after ") + dtype_name(args.input(0).dtype));
  return infer_broadcast_pair(args, op);
}

class BinaryStep final : public Step {
 public:
  BinaryStep(const StepArgs& args, EltwiseOp op, int full)
      : full_(full),
        axes_(axes_in_memory(args.output().shape, args.shape(static_cast<std::size_t>(1 - full)),
                             args.out[0].layout)),
        n_(args.output().shape.elements()),
        activation_(activation_attribute(args)) {
    problem_.op = op;
    problem_.cap = args.options.max_isa;
    problem_.threads = args.options.threads;
    dense_ = args.shape(0) == args.shape(1);
  }
  void run(void* const* tensors, void*) const override {
    EltwiseProblem problem = problem_;
    problem.src = static_cast<const float*>(tensors[full_]);
    problem.dst = static_cast<float*>(tensors[2]);
    const float* operand = static_cast<const float*>(tensors[1 - full_]);
    if (dense_)
      eltwise_per_element(problem, n_, operand);
    else
      eltwise_broadcast(problem, axes_, operand);
    if (activation_.kind == ActivationKind::none) return;
    problem.op = activation_op(activation_);
    problem.src = problem.dst;
    eltwise_uniform(problem, n_, &activation_.alpha);
  }

 private:
  EltwiseProblem problem_;
  int full_;
  std::vector<BroadcastAxis> axes_;
  std::int64_t n_;
  Activation activation_;
  bool dense_;
};

// Any types and shapes, then the activation.
std::unique_ptr<Step> plan_general(const StepArgs& args, BinaryOp op) {
  const Activation activation = activation_attribute(args);
  std::unique_ptr<Step> pair = plan_broadcast_pair(args, op);
  if (activation.kind == ActivationKind::none) return pair;
  EltwiseProblem problem;
  problem.op = activation_op(activation);
  problem.cap = args.options.max_isa;
  problem.threads = args.options.threads;
  const std::int64_t n = args.output().shape.elements();
  return function_step([shared = std::shared_ptr<Step>(std::move(pair)), problem, n,
                        alpha = activation.alpha](void* const* tensors, void* workspace) {
    shared->run(tensors, workspace);
    EltwiseProblem call = problem;
    call.dst = static_cast<float*>(tensors[2]);
    call.src = call.dst;
    eltwise_uniform(call, n, &alpha);
  });
}

template <EltwiseOp op, BinaryOp general>
std::unique_ptr<Step> plan_binary(const StepArgs& args) {
  const Shape& out = args.output().shape;
  for (const int full : {0, 1}) {
    if (args.output().dtype != DType::f32) break;
    if (args.shape(static_cast<std::size_t>(full)) != out) continue;
    if (!in_memory_order(out, args.shape(static_cast<std::size_t>(1 - full)), args.out[0].layout))
      continue;
    return std::make_unique<BinaryStep>(args, op, full);
  }
  return plan_general(args, general);
}

template <EltwiseOp op>
std::unique_ptr<Step> plan_unary(const StepArgs& args) {
  const bool fast = args.options.accuracy == Accuracy::fast;
  if (fast && op == EltwiseOp::silu)
    return std::make_unique<UnaryStep>(args, EltwiseOp::silu_fast, 0.0);
  if (fast && op == EltwiseOp::sigmoid)
    return std::make_unique<UnaryStep>(args, EltwiseOp::sigmoid_fast, 0.0);
  if (fast && op == EltwiseOp::tanh)
    return std::make_unique<UnaryStep>(args, EltwiseOp::tanh_fast, 0.0);
  const double otherwise = op == EltwiseOp::leaky_relu ? 0.01 : 1.0;
  return std::make_unique<UnaryStep>(args, op, args.attributes().number("alpha", otherwise));
}

OpDef unary(const char* name, std::unique_ptr<Step> (*plan_op)(const StepArgs&), bool alpha = false) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  if (alpha) op.attributes = {{"alpha", AttributeKind::number}};
  op.infer = infer_unary;
  op.plan = plan_op;
  op.layout = LayoutRule::follow;
  op.in_place = true;
  return op;
}

template <EltwiseOp eltwise, BinaryOp general>
OpDef binary() {
  OpDef op{};
  op.name = binary_name(general);
  op.least_inputs = op.most_inputs = 2;
  op.attributes = {{"activation", AttributeKind::text}, {"alpha", AttributeKind::number}};
  op.infer = infer_binary<general>;
  op.plan = plan_binary<eltwise, general>;
  op.layout = LayoutRule::follow;
  op.images = 0b11;
  op.in_place = true;
  return op;
}

}  // namespace

#define PYCONV_UNARY(name) const OpDef op_##name = unary(#name, plan_unary<EltwiseOp::name>);
#define PYCONV_UNARY_ALPHA(name) \
  const OpDef op_##name = unary(#name, plan_unary<EltwiseOp::name>, true);
PYCONV_UNARY(relu)
PYCONV_UNARY(relu6)
PYCONV_UNARY_ALPHA(leaky_relu)
PYCONV_UNARY_ALPHA(elu)
PYCONV_UNARY(sigmoid)
PYCONV_UNARY(hard_sigmoid)
PYCONV_UNARY(silu)
PYCONV_UNARY(hard_swish)
PYCONV_UNARY(tanh)
PYCONV_UNARY(gelu)
PYCONV_UNARY(gelu_tanh)
PYCONV_UNARY(exp)
#undef PYCONV_UNARY
#undef PYCONV_UNARY_ALPHA
const OpDef op_add = binary<EltwiseOp::add, BinaryOp::add>();
const OpDef op_mul = binary<EltwiseOp::mul, BinaryOp::mul>();

}  // namespace pyconv
