// linear: x (..., K), weight (N, K), bias (N) or absent; y (..., N) = activation(x weight^T + bias).
#include "ops/linear.h"

#include "net/ops/common.h"

namespace pyconv {

namespace {

std::vector<TensorType> infer(const NodeArgs& args) {
  args.need_f32(0, "x");
  args.need_f32(1, "weight");
  args.need_rank(1, "weight", 2);
  args.need_constant(1, "weight");
  args.need_f32(2, "bias");
  args.need_constant(2, "bias");
  const Shape &x = args.shape(0), &w = args.shape(1);
  if (x.rank < 1 || x[x.rank - 1] != w[1])
    args.refuse("x: expected (..., " + std::to_string(w[1]) + ") for a weight of shape " +
                w.text() + ", got " + x.text());
  if (args.has(2) && args.shape(2) != Shape{w[0]})
    args.refuse("bias: expected shape " + Shape{w[0]}.text() + ", got " + args.shape(2).text());
  activation_attribute(args);
  Shape out = x;
  out[x.rank - 1] = w[0];
  return {{DType::f32, out}};
}

class LinearStep final : public Step {
 public:
  LinearStep(const StepArgs& args, const LinearRequest& request)
      : plan_(args.shape(1)[0], args.shape(1)[1], request, args.constant(1)->floats(),
              args.has(2) ? args.constant(2)->floats() : nullptr),
        rows_(args.shape(0).elements() / std::max<std::int64_t>(1, args.shape(1)[1])),
        output_(args.inputs()),
        threads_(request.threads) {}
  void run(void* const* tensors, void*) const override {
    plan_.run(static_cast<const float*>(tensors[0]), rows_, static_cast<float*>(tensors[output_]));
  }
  std::size_t packed_bytes() const override { return plan_.packed_bytes(); }
  StepReport report() const override { return {"gemm", plan_.kernels(), threads_}; }

 private:
  LinearPlan plan_;
  std::int64_t rows_;
  std::size_t output_;
  int threads_;
};

std::unique_ptr<Step> plan(const StepArgs& args) {
  LinearRequest request;
  request.accuracy = args.options.accuracy;
  request.activation = activation_attribute(args);
  request.max_isa = args.options.max_isa;
  request.threads = args.options.threads;
  return std::make_unique<LinearStep>(args, request);
}

std::int64_t macs(const NodeArgs& args) { return args.shape(0).elements() * args.shape(1)[0]; }

OpDef define() {
  OpDef op{};
  op.name = "linear";
  op.least_inputs = 2;
  op.most_inputs = 3;
  op.attributes = {{"activation", AttributeKind::text}, {"alpha", AttributeKind::number}};
  op.infer = infer;
  op.plan = plan;
  op.packed = 0b110;
  op.macs = macs;
  return op;
}

}  // namespace

const OpDef op_linear = define();

}  // namespace pyconv
