// matmul: a (..., m, k), b (..., k, n), leading axes broadcast. quantize_linear: x, scale, zero (u8 or i8;
// attribute to where it is absent). dequantize_linear: x, scale, zero. Their scales are one number, or one
// for each index of attribute axis.
#include "ops/tensor/matmul.h"

#include "net/ops/tensor_common.h"
#include "ops/tensor/quantize.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer_matmul(const NodeArgs& args) {
  const DType type = args.input(0).dtype;
  if (type != args.input(1).dtype)
    args.refuse(std::string("b: expected ") + dtype_name(type) + " as a is, got " +
                dtype_name(args.input(1).dtype));
  if (type != DType::f32 && type != DType::i64 && type != DType::i32)
    args.refuse(std::string("a: expected float32, int64 or int32, got ") + dtype_name(type));
  return {{type, refusing(args, [&] { return matmul_shape(args.shape(0), args.shape(1)); })}};
}

std::unique_ptr<Step> plan_matmul(const StepArgs& args) {
  const auto plan = std::make_shared<MatmulPlan>(args.shape(0), args.shape(1), args.input(0).dtype,
                                                 args.options.max_isa, args.options.threads);
  return function_step(
      [plan](void* const* tensors, void* workspace) {
        plan->run(tensors[0], tensors[1], tensors[2], workspace);
      },
      plan->workspace_bytes());
}

std::int64_t matmul_macs(const NodeArgs& args) {
  return args.output().shape.elements() * args.shape(0)[args.shape(0).rank - 1];
}

OpDef define_matmul() {
  OpDef op{};
  op.name = "matmul";
  op.least_inputs = op.most_inputs = 2;
  op.infer = infer_matmul;
  op.plan = plan_matmul;
  op.macs = matmul_macs;
  return op;
}

// The problem but for its type, from the shapes of x and scale.
QuantizeProblem quantize_problem(const NodeArgs& args) {
  const Shape &x = args.shape(0), &scale = args.shape(1);
  QuantizeProblem p;
  p.inner = x.elements();
  if (args.has(2) && args.shape(2) != scale)
    args.refuse("zero: expected shape " + scale.text() + " as scale has, got " + args.shape(2).text());
  if (scale.elements() == 1) return p;
  const int axis = refusing(args, [&] {
    return need_axis("axis", args.attributes().integer("axis", 1), x.rank);
  });
  if (scale != Shape{x[axis]})
    args.refuse("scale: expected one number or shape " + Shape{x[axis]}.text() + " for axis " +
                std::to_string(axis) + ", got " + scale.text());
  p.inner = 1;
  for (int i = 0; i < x.rank; ++i) (i < axis ? p.outer : i == axis ? p.channels : p.inner) *= x[i];
  return p;
}

DType quantized_type(const NodeArgs& args) {
  DType type = DType::u8;
  if (args.has(2)) type = args.input(2).dtype;
  const std::string to = args.attributes().text("to", "");
  if (!to.empty() && (!parse_dtype(to, &type) || (args.has(2) && type != args.input(2).dtype)))
    args.refuse("to: expected the type of zero, got '" + to + "'");
  if (type != DType::u8 && type != DType::i8)
    args.refuse(std::string("zero: expected uint8 or int8, got ") + dtype_name(type));
  return type;
}

std::vector<TensorType> infer_quantize(const NodeArgs& args) {
  args.need_f32(0, "x");
  args.need_f32(1, "scale");
  quantize_problem(args);
  return {{quantized_type(args), args.shape(0)}};
}

std::unique_ptr<Step> plan_quantize(const StepArgs& args) {
  QuantizeProblem p = quantize_problem(args);
  p.dtype = quantized_type(args);
  p.threads = args.options.threads;
  const bool zero = args.has(2);
  const std::size_t out = args.inputs();
  return function_step([p, zero, out](void* const* tensors, void*) {
    quantize_linear(p, static_cast<const float*>(tensors[0]), static_cast<const float*>(tensors[1]),
                    zero ? tensors[2] : nullptr, tensors[out]);
  });
}

std::vector<TensorType> infer_dequantize(const NodeArgs& args) {
  const DType type = args.input(0).dtype;
  if (type != DType::u8 && type != DType::i8 && type != DType::i32)
    args.refuse(std::string("x: expected uint8, int8 or int32, got ") + dtype_name(type));
  args.need_f32(1, "scale");
  if (args.has(2) && args.input(2).dtype != type)
    args.refuse(std::string("zero: expected ") + dtype_name(type) + " as x is, got " +
                dtype_name(args.input(2).dtype));
  quantize_problem(args);
  return {{DType::f32, args.shape(0)}};
}

std::unique_ptr<Step> plan_dequantize(const StepArgs& args) {
  QuantizeProblem p = quantize_problem(args);
  p.dtype = args.input(0).dtype;
  p.threads = args.options.threads;
  const bool zero = args.has(2);
  const std::size_t out = args.inputs();
  return function_step([p, zero, out](void* const* tensors, void*) {
    dequantize_linear(p, tensors[0], static_cast<const float*>(tensors[1]), zero ? tensors[2] : nullptr,
                      static_cast<float*>(tensors[out]));
  });
}

OpDef quantisation(const char* name, std::vector<TensorType> (*infer)(const NodeArgs&),
                   std::unique_ptr<Step> (*plan)(const StepArgs&)) {
  OpDef op{};
  op.name = name;
  op.least_inputs = 2;
  op.most_inputs = 3;
  op.attributes = {{"axis", AttributeKind::integer}, {"to", AttributeKind::text}};
  op.infer = infer;
  op.plan = plan;
  return op;
}

}  // namespace

const OpDef op_matmul = define_matmul();
const OpDef op_quantize_linear = quantisation("quantize_linear", infer_quantize, plan_quantize);
const OpDef op_dequantize_linear =
    quantisation("dequantize_linear", infer_dequantize, plan_dequantize);

}  // namespace pyconv
