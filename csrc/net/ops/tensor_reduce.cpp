// reduce_*: attributes axes (all where absent) and keepdims. argmax, argmin: axis, keepdims, last (of
// equal ones the last). top_k: k, axis, largest; outputs values and indices, sorted.
#include "ops/tensor/reduce.h"

#include "net/ops/tensor_common.h"
#include "ops/tensor/topk.h"

namespace pyconv {

namespace {

// The shape with size 1 at the axes of the mask, and without them.
Shape reduced_shape(const Shape& x, unsigned axes, bool keep) {
  Shape out;
  for (int i = 0; i < x.rank; ++i) {
    const bool goes = axes >> i & 1u;
    if (!goes)
      out[out.rank++] = x[i];
    else if (keep)
      out[out.rank++] = 1;
  }
  return out;
}

unsigned axes_mask(const NodeArgs& args) {
  unsigned mask = 0;
  for (const int axis : axes_attribute(args, "axes")) mask |= 1u << axis;
  return mask;
}

bool keeps(const NodeArgs& args) { return args.attributes().integer("keepdims", 1) != 0; }

template <ReduceOp kOp>
std::vector<TensorType> infer_reduce(const NodeArgs& args) {
  const DType type = args.input(0).dtype;
  if (!reduce_takes(kOp, type))
    args.refuse(std::string("x: no such reduction of ") + dtype_name(type));
  return {{type, reduced_shape(args.shape(0), axes_mask(args), keeps(args))}};
}

template <ReduceOp kOp>
std::unique_ptr<Step> plan_reduce(const StepArgs& args) {
  const TensorView src = placed_view(args.input(0), args.in[0]);
  const unsigned axes = axes_mask(args);
  const TensorView dst =
      dense_view(nullptr, args.output().dtype, reduced_shape(args.shape(0), axes, true));
  const Isa cap = args.options.max_isa;
  const int threads = args.options.threads;
  return function_step([=](void* const* tensors, void*) {
    reduce(kOp, at(src, tensors[0]), axes, at(dst, tensors[1]), cap, threads);
  });
}

template <ReduceOp kOp>
OpDef reduction(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"axes", AttributeKind::integers}, {"keepdims", AttributeKind::integer}};
  op.infer = infer_reduce<kOp>;
  op.plan = plan_reduce<kOp>;
  return op;
}

int axis_of(const NodeArgs& args, std::int64_t otherwise) {
  return refusing(args, [&] {
    return need_axis("axis", args.attributes().integer("axis", otherwise), args.shape(0).rank);
  });
}

std::vector<TensorType> infer_arg(const NodeArgs& args) {
  const int axis = axis_of(args, 0);
  if (args.shape(0)[axis] == 0) args.refuse("x: expected one element or more along the axis, got none");
  return {{DType::i64, reduced_shape(args.shape(0), 1u << axis, keeps(args))}};
}

template <bool kLargest>
std::unique_ptr<Step> plan_arg(const StepArgs& args) {
  const TensorView src = placed_view(args.input(0), args.in[0]);
  const int axis = axis_of(args, 0), threads = args.options.threads;
  const TensorView dst =
      dense_view(nullptr, DType::i64, reduced_shape(args.shape(0), 1u << axis, true));
  const bool last = args.attributes().integer("last", 0) != 0;
  return function_step([=](void* const* tensors, void*) {
    arg_extreme(kLargest, last, at(src, tensors[0]), axis, at(dst, tensors[1]), threads);
  });
}

template <bool kLargest>
OpDef arg(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"axis", AttributeKind::integer},
                   {"keepdims", AttributeKind::integer},
                   {"last", AttributeKind::integer}};
  op.infer = infer_arg;
  op.plan = plan_arg<kLargest>;
  return op;
}

std::vector<TensorType> infer_top_k(const NodeArgs& args) {
  const int axis = axis_of(args, -1);
  const std::int64_t k = args.attributes().integer("k", 1);
  Shape out = args.shape(0);
  if (k < 0 || k > out[axis])
    args.refuse("k: expected a number of 0 to " + std::to_string(out[axis]) + ", got " +
                std::to_string(k));
  out[axis] = k;
  return {{args.input(0).dtype, out}, {DType::i64, out}};
}

std::unique_ptr<Step> plan_top_k(const StepArgs& args) {
  TopKProblem problem;
  problem.axis = axis_of(args, -1);
  problem.largest = args.attributes().integer("largest", 1) != 0;
  const TensorView src = placed_view(args.input(0), args.in[0]);
  const TensorView values = placed_view(args.output(0), args.out[0]);
  const TensorView indices = placed_view(args.output(1), args.out[1]);
  return function_step(
      [=](void* const* tensors, void* workspace) {
        top_k(problem, at(src, tensors[0]), at(values, tensors[1]), at(indices, tensors[2]), workspace);
      },
      top_k_workspace_bytes(args.shape(0), problem));
}

OpDef define_top_k() {
  OpDef op{};
  op.name = "top_k";
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"k", AttributeKind::integer},
                   {"axis", AttributeKind::integer},
                   {"largest", AttributeKind::integer}};
  op.infer = infer_top_k;
  op.plan = plan_top_k;
  return op;
}

}  // namespace

const OpDef op_reduce_sum = reduction<ReduceOp::sum>("reduce_sum");
const OpDef op_reduce_mean = reduction<ReduceOp::mean>("reduce_mean");
const OpDef op_reduce_prod = reduction<ReduceOp::prod>("reduce_prod");
const OpDef op_reduce_sum_square = reduction<ReduceOp::sum_square>("reduce_sum_square");
const OpDef op_reduce_l1 = reduction<ReduceOp::l1>("reduce_l1");
const OpDef op_reduce_l2 = reduction<ReduceOp::l2>("reduce_l2");
const OpDef op_reduce_log_sum = reduction<ReduceOp::log_sum>("reduce_log_sum");
const OpDef op_reduce_log_sum_exp = reduction<ReduceOp::log_sum_exp>("reduce_log_sum_exp");
const OpDef op_reduce_max = reduction<ReduceOp::max>("reduce_max");
const OpDef op_reduce_min = reduction<ReduceOp::min>("reduce_min");
const OpDef op_argmax = arg<true>("argmax");
const OpDef op_argmin = arg<false>("argmin");
const OpDef op_top_k = define_top_k();

}  // namespace pyconv
