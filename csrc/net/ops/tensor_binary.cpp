// sub to logical_xor: two operands of one type. prelu: x, slope (broadcast to x). where: cond, a, b.
#include "net/ops/tensor_binary.h"

#include "ops/tensor/move.h"

namespace pyconv {

namespace {

// Views of operands and result with their axes in the order of the result's memory, so that the last
// one is the densest.
struct Operands {
  std::vector<TensorView> views;  // inputs, then the output

  explicit Operands(const StepArgs& args) {
    const std::vector<int> order = memory_order(args.output().shape.rank, args.out[0]);
    const TensorView out = placed_view(args.output(), args.out[0]);
    for (std::size_t i = 0; i <= args.inputs(); ++i) {
      TensorView view = out;
      if (i < args.inputs())
        view = broadcast_view(placed_view(args.input(i), args.in[i]), out.shape);
      views.push_back(permuted_view(view, order.data()));
    }
  }
};

Shape broadcast_of(const NodeArgs& args, std::size_t a, std::size_t b) {
  return refusing(args, [&] { return broadcast_shape(args.shape(a), args.shape(b)); });
}

template <BinaryOp kOp>
std::vector<TensorType> infer(const NodeArgs& args) {
  return infer_broadcast_pair(args, kOp);
}

template <BinaryOp kOp>
std::unique_ptr<Step> plan(const StepArgs& args) {
  return plan_broadcast_pair(args, kOp);
}

template <BinaryOp kOp>
OpDef pair() {
  OpDef op{};
  op.name = binary_name(kOp);
  op.least_inputs = op.most_inputs = 2;
  op.infer = infer<kOp>;
  op.plan = plan<kOp>;
  op.layout = LayoutRule::follow;
  op.images = 0b11;
  // Equal bytes are equal shapes only where the type stays.
  op.in_place = kOp < BinaryOp::equal || kOp > BinaryOp::greater_equal;
  return op;
}

std::vector<TensorType> infer_prelu(const NodeArgs& args) {
  args.need_f32(0, "x");
  args.need_f32(1, "slope");
  if (broadcast_of(args, 0, 1) != args.shape(0))
    args.refuse("slope: expected a shape that broadcasts to " + args.shape(0).text() + ", got " +
                args.shape(1).text());
  return infer_same(args);
}

std::unique_ptr<Step> plan_prelu(const StepArgs& args) {
  const Operands o(args);
  const Isa cap = args.options.max_isa;
  const int threads = args.options.threads;
  return function_step([o, cap, threads](void* const* tensors, void*) {
    eltwise_pair(EltwiseOp::leaky_relu, at(o.views[0], tensors[0]), at(o.views[1], tensors[1]),
                 at(o.views[2], tensors[2]), cap, threads);
  });
}

OpDef define_prelu() {
  OpDef op{};
  op.name = "prelu";
  op.least_inputs = op.most_inputs = 2;
  op.infer = infer_prelu;
  op.plan = plan_prelu;
  op.layout = LayoutRule::follow;
  op.images = 0b11;
  op.in_place = true;
  return op;
}

std::vector<TensorType> infer_where(const NodeArgs& args) {
  if (args.input(0).dtype != DType::boolean)
    args.refuse(std::string("cond: expected bool, got ") + dtype_name(args.input(0).dtype));
  if (args.input(1).dtype != args.input(2).dtype)
    args.refuse("b: expected " + std::string(dtype_name(args.input(1).dtype)) + " as a is, got " +
                dtype_name(args.input(2).dtype));
  const Shape both = broadcast_of(args, 1, 2);
  return {{args.input(1).dtype,
           refusing(args, [&] { return broadcast_shape(args.shape(0), both); })}};
}

std::unique_ptr<Step> plan_where(const StepArgs& args) {
  const Operands o(args);
  const int threads = args.options.threads;
  return function_step([o, threads](void* const* tensors, void*) {
    where(at(o.views[0], tensors[0]), at(o.views[1], tensors[1]), at(o.views[2], tensors[2]),
          at(o.views[3], tensors[3]), threads);
  });
}

OpDef define_where() {
  OpDef op{};
  op.name = "where";
  op.least_inputs = op.most_inputs = 3;
  op.infer = infer_where;
  op.plan = plan_where;
  return op;
}

}  // namespace

std::vector<TensorType> infer_broadcast_pair(const NodeArgs& args, BinaryOp op) {
  const DType a = args.input(0).dtype, b = args.input(1).dtype;
  if (a != b)
    args.refuse(std::string("b: expected ") + dtype_name(a) + " as a is, got " + dtype_name(b));
  return {{refusing(args, [&] { return binary_dtype(op, a); }), broadcast_of(args, 0, 1)}};
}

std::unique_ptr<Step> plan_broadcast_pair(const StepArgs& args, BinaryOp op) {
  const Operands o(args);
  const Isa cap = args.options.max_isa;
  const int threads = args.options.threads;
  return function_step([o, op, cap, threads](void* const* tensors, void*) {
    binary(op, at(o.views[0], tensors[0]), at(o.views[1], tensors[1]), at(o.views[2], tensors[2]), cap,
           threads);
  });
}

const OpDef op_sub = pair<BinaryOp::sub>();
const OpDef op_div = pair<BinaryOp::div>();
const OpDef op_mod = pair<BinaryOp::mod>();
const OpDef op_fmod = pair<BinaryOp::fmod>();
const OpDef op_pow = pair<BinaryOp::pow>();
const OpDef op_min = pair<BinaryOp::min>();
const OpDef op_max = pair<BinaryOp::max>();
const OpDef op_equal = pair<BinaryOp::equal>();
const OpDef op_less = pair<BinaryOp::less>();
const OpDef op_less_equal = pair<BinaryOp::less_equal>();
const OpDef op_greater = pair<BinaryOp::greater>();
const OpDef op_greater_equal = pair<BinaryOp::greater_equal>();
const OpDef op_logical_and = pair<BinaryOp::logical_and>();
const OpDef op_logical_or = pair<BinaryOp::logical_or>();
const OpDef op_logical_xor = pair<BinaryOp::logical_xor>();
const OpDef op_prelu = define_prelu();
const OpDef op_where = define_where();

}  // namespace pyconv
