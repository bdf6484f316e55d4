// Functions of one element beside those of elementwise.cpp: of f32 (csrc/kernels/eltwise/eltwise.h says
// what each computes), some of integers too; tests, and conversions of type.
#include <algorithm>
#include <limits>

#include "net/ops/tensor_common.h"
#include "ops/eltwise.h"
#include "ops/tensor/move.h"
#include "ops/tensor/unary.h"

namespace pyconv {

namespace {

// The kernel's parameters by the attributes' names and values where they are absent.
struct Parameter {
  const char* name;
  double otherwise;
};

struct UnaryDef {
  EltwiseOp op;
  Parameter p, q;
};

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kSeluAlpha = 1.67326319217681884765625, kSeluGamma = 1.05070102214813232421875;

constexpr Parameter kNone{nullptr, 0.0};
constexpr UnaryDef kAbs{EltwiseOp::abs, kNone, kNone};
constexpr UnaryDef kNeg{EltwiseOp::neg, kNone, kNone};
constexpr UnaryDef kSign{EltwiseOp::sign, kNone, kNone};
constexpr UnaryDef kFloor{EltwiseOp::floor, kNone, kNone};
constexpr UnaryDef kCeil{EltwiseOp::ceil, kNone, kNone};
constexpr UnaryDef kRound{EltwiseOp::round, kNone, kNone};
constexpr UnaryDef kSqrt{EltwiseOp::sqrt, kNone, kNone};
constexpr UnaryDef kReciprocal{EltwiseOp::reciprocal, kNone, kNone};
constexpr UnaryDef kLog{EltwiseOp::log, kNone, kNone};
constexpr UnaryDef kErf{EltwiseOp::erf, kNone, kNone};
constexpr UnaryDef kSoftplus{EltwiseOp::softplus, kNone, kNone};
constexpr UnaryDef kSoftsign{EltwiseOp::softsign, kNone, kNone};
constexpr UnaryDef kMish{EltwiseOp::mish, kNone, kNone};
constexpr UnaryDef kSelu{EltwiseOp::selu, {"alpha", kSeluAlpha}, {"gamma", kSeluGamma}};
constexpr UnaryDef kCelu{EltwiseOp::celu, {"alpha", 1.0}, kNone};
constexpr UnaryDef kThresholdedRelu{EltwiseOp::thresholded_relu, {"alpha", 1.0}, kNone};
constexpr UnaryDef kAffineUnit{EltwiseOp::affine_unit, {"alpha", 0.2}, {"beta", 0.5}};
constexpr UnaryDef kClip{EltwiseOp::clip, {"min", -kInf}, {"max", kInf}};

double parameter(const NodeArgs& args, const Parameter& p) {
  return p.name ? args.attributes().number(p.name, p.otherwise) : 0.0;
}

std::int64_t as_bound(double value) {
  if (value >= 0x1p63) return std::numeric_limits<std::int64_t>::max();
  return value <= -0x1p63 ? std::numeric_limits<std::int64_t>::min() : static_cast<std::int64_t>(value);
}

template <const UnaryDef& kDef>
std::vector<TensorType> infer_unary(const NodeArgs& args) {
  if (args.input(0).dtype != DType::f32)
    refusing(args, [&] { need_integer_unary(kDef.op, args.input(0).dtype); });
  if (kDef.op == EltwiseOp::celu && !(parameter(args, kDef.p) > 0.0))
    args.refuse("alpha: expected a positive number, got " + std::to_string(parameter(args, kDef.p)));
  return infer_same(args);
}

template <const UnaryDef& kDef>
std::unique_ptr<Step> plan_unary(const StepArgs& args) {
  double p = parameter(args, kDef.p);
  const double q = parameter(args, kDef.q);
  const int threads = args.options.threads;
  if (args.input(0).dtype != DType::f32) {
    const TensorView view = placed_view(args.input(0), args.in[0]);
    return function_step([view, p, q, threads](void* const* tensors, void*) {
      integer_unary(kDef.op, as_bound(p), as_bound(q), at(view, tensors[0]), at(view, tensors[1]),
                    threads);
    });
  }
  if (kDef.op == EltwiseOp::selu) p = static_cast<float>(p) * static_cast<float>(q);
  EltwiseProblem problem;
  problem.op = kDef.op;
  problem.cap = args.options.max_isa;
  problem.threads = threads;
  const std::int64_t n = args.shape(0).elements();
  const float first = static_cast<float>(p), second = static_cast<float>(q);
  return function_step([problem, n, first, second](void* const* tensors, void*) {
    EltwiseProblem call = problem;
    call.src = static_cast<const float*>(tensors[0]);
    call.dst = static_cast<float*>(tensors[1]);
    eltwise_uniform(call, n, &first, &second);
  });
}

template <const UnaryDef& kDef>
OpDef unary(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  if (kDef.p.name) op.attributes.push_back({kDef.p.name, AttributeKind::number});
  if (kDef.q.name) op.attributes.push_back({kDef.q.name, AttributeKind::number});
  op.infer = infer_unary<kDef>;
  op.plan = plan_unary<kDef>;
  op.layout = LayoutRule::follow;
  op.in_place = true;
  return op;
}

template <TestOp kOp>
std::vector<TensorType> infer_test(const NodeArgs& args) {
  const DType wanted = kOp == TestOp::logical_not ? DType::boolean : DType::f32;
  if (args.input(0).dtype != wanted)
    args.refuse(std::string("x: expected ") + dtype_name(wanted) + ", got " +
                dtype_name(args.input(0).dtype));
  return {{DType::boolean, args.shape(0)}};
}

template <TestOp kOp>
std::unique_ptr<Step> plan_test(const StepArgs& args) {
  const TensorView src = placed_view(args.input(0), args.in[0]);
  const TensorView dst = placed_view(args.output(), args.out[0]);
  const int threads = args.options.threads;
  return function_step([src, dst, threads](void* const* tensors, void*) {
    test_elements(kOp, at(src, tensors[0]), at(dst, tensors[1]), threads);
  });
}

template <TestOp kOp>
OpDef test(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.infer = infer_test<kOp>;
  op.plan = plan_test<kOp>;
  return op;
}

std::vector<TensorType> infer_cast(const NodeArgs& args) {
  DType to = DType::f32;
  const std::string name = args.attributes().text("to", "");
  if (!parse_dtype(name, &to))
    args.refuse("to: expected float32, int64, int32, uint8, int8 or bool, got '" + name + "'");
  return {{to, args.shape(0)}};
}

std::unique_ptr<Step> plan_cast(const StepArgs& args) {
  const TensorView src = placed_view(args.input(0), args.in[0]);
  const TensorView dst = placed_view(args.output(), args.out[0]);
  const int threads = args.options.threads;
  return function_step([src, dst, threads](void* const* tensors, void*) {
    cast(at(src, tensors[0]), at(dst, tensors[1]), threads);
  });
}

OpDef define_cast() {
  OpDef op{};
  op.name = "cast";
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"to", AttributeKind::text}};
  op.infer = infer_cast;
  op.plan = plan_cast;
  return op;
}

}  // namespace

const OpDef op_abs = unary<kAbs>("abs");
const OpDef op_neg = unary<kNeg>("neg");
const OpDef op_sign = unary<kSign>("sign");
const OpDef op_floor = unary<kFloor>("floor");
const OpDef op_ceil = unary<kCeil>("ceil");
const OpDef op_round = unary<kRound>("round");
const OpDef op_sqrt = unary<kSqrt>("sqrt");
const OpDef op_reciprocal = unary<kReciprocal>("reciprocal");
const OpDef op_log = unary<kLog>("log");
const OpDef op_erf = unary<kErf>("erf");
const OpDef op_softplus = unary<kSoftplus>("softplus");
const OpDef op_softsign = unary<kSoftsign>("softsign");
const OpDef op_mish = unary<kMish>("mish");
const OpDef op_selu = unary<kSelu>("selu");
const OpDef op_celu = unary<kCelu>("celu");
const OpDef op_thresholded_relu = unary<kThresholdedRelu>("thresholded_relu");
const OpDef op_affine_unit = unary<kAffineUnit>("affine_unit");
const OpDef op_clip = unary<kClip>("clip");
const OpDef op_logical_not = test<TestOp::logical_not>("logical_not");
const OpDef op_isnan = test<TestOp::isnan>("isnan");
const OpDef op_isinf = test<TestOp::isinf>("isinf");
const OpDef op_cast = define_cast();

}  // namespace pyconv
