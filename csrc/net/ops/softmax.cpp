// softmax, log_softmax: along attribute axis (-1 where absent).
#include "ops/softmax.h"

#include "net/ops/common.h"

namespace pyconv {

namespace {

int axis_of(const NodeArgs& args) {
  try {
    return need_axis("axis", args.attributes().integer("axis", -1), args.shape(0).rank);
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
}

std::vector<TensorType> infer(const NodeArgs& args) {
  args.need_f32(0, "x");
  axis_of(args);
  return infer_same(args);
}

class SoftmaxStep final : public Step {
 public:
  explicit SoftmaxStep(const SoftmaxProblem& problem) : problem_(problem) {}
  void run(void* const* tensors, void*) const override {
    softmax(problem_, static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[1]));
  }

 private:
  SoftmaxProblem problem_;
};

template <bool log>
std::unique_ptr<Step> plan(const StepArgs& args) {
  SoftmaxProblem problem;
  problem.log = log;
  problem.cap = args.options.max_isa;
  problem.threads = args.options.threads;
  const Shape& x = args.shape(0);
  const int wanted = axis_of(args);
  const bool nhwc = args.in[0].layout == Layout::nhwc;
  static const int order[] = {0, 2, 3, 1};
  bool before = true;
  for (int i = 0; i < x.rank; ++i) {
    const int axis = nhwc ? order[i] : i;
    if (axis == wanted) {
      problem.length = x[axis];
      before = false;
    } else {
      (before ? problem.outer : problem.inner) *= x[axis];
    }
  }
  return std::make_unique<SoftmaxStep>(problem);
}

OpDef define(const char* name, std::unique_ptr<Step> (*plan_op)(const StepArgs&)) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"axis", AttributeKind::integer}};
  op.infer = infer;
  op.plan = plan_op;
  op.layout = LayoutRule::follow;
  op.in_place = true;
  return op;
}

}  // namespace

const OpDef op_softmax = define("softmax", plan<false>);
const OpDef op_log_softmax = define("log_softmax", plan<true>);

}  // namespace pyconv
