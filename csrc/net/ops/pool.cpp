// max_pool, avg_pool: attributes kernel, stride (the kernel's where absent), padding, dilation,
// ceil_mode, count_include_pad, divisor. global_avg_pool, global_max_pool: (N, C, ...) to (N, C, 1, ...).
#include "ops/pool.h"

#include "net/ops/common.h"

namespace pyconv {

namespace {

Pool2dProblem problem_of(const NodeArgs& args, PoolKind kind) {
  args.need_f32(0, "x");
  args.need_rank(0, "x", 4);
  const Shape& x = args.shape(0);
  const Pair kernel = pair_attribute(args, "kernel", 0, 1);
  const Pair stride = args.attributes().find("stride") ? pair_attribute(args, "stride", 1, 1) : kernel;
  const Pair dilation = pair_attribute(args, "dilation", 1, 1);
  const Pair padding = pair_attribute(args, "padding", 0, 0);
  Pool2dProblem p;
  p.kind = kind;
  p.mb = x[0], p.c = x[1], p.ih = x[2], p.iw = x[3];
  p.kh = kernel.h, p.kw = kernel.w, p.sh = stride.h, p.sw = stride.w;
  p.dh = dilation.h, p.dw = dilation.w, p.ph = padding.h, p.pw = padding.w;
  p.ceil_mode = args.attributes().integer("ceil_mode", 0) != 0;
  p.include_pad = args.attributes().integer("count_include_pad", 1) != 0;
  p.divisor = args.attributes().integer("divisor", 0);
  try {
    p.validate();
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
  return p;
}

template <PoolKind kind>
std::vector<TensorType> infer(const NodeArgs& args) {
  const Pool2dProblem p = problem_of(args, kind);
  return {{DType::f32, {p.mb, p.c, p.oh(), p.ow()}}};
}

PoolRequest request_of(const StepArgs& args) {
  PoolRequest request;
  request.src_layout = args.in[0].layout;
  request.dst_layout = args.out[0].layout;
  request.src_pixel = args.in[0].pixel;
  request.dst_pixel = args.out[0].pixel;
  request.max_isa = args.options.max_isa;
  request.threads = args.options.threads;
  return request;
}

class PoolStep final : public Step {
 public:
  PoolStep(const Pool2dProblem& problem, const PoolRequest& request) : plan_(problem, request) {}
  void run(void* const* tensors, void* workspace) const override {
    plan_.run(static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[1]), workspace);
  }
  std::size_t workspace_bytes() const override { return plan_.workspace_bytes(); }
  StepReport report() const override { return {"window", plan_.kernel(), plan_.threads()}; }

 private:
  Pool2dPlan plan_;
};

template <PoolKind kind>
std::unique_ptr<Step> plan(const StepArgs& args) {
  return std::make_unique<PoolStep>(problem_of(args, kind), request_of(args));
}

template <PoolKind kind>
bool planes(const StepArgs& args) {
  return args.in[0].layout == Layout::nchw && pools_planes(problem_of(args, kind));
}

std::vector<TensorType> infer_global(const NodeArgs& args) {
  args.need_f32(0, "x");
  Shape out = args.shape(0);
  if (out.rank < 3) args.refuse("x: expected (N, C, H, ...), got " + out.text());
  for (int i = 2; i < out.rank; ++i) {
    if (out[i] < 1) args.refuse("x: expected at least one pixel, got " + args.shape(0).text());
    out[i] = 1;
  }
  return {{DType::f32, out}};
}

class GlobalPoolStep final : public Step {
 public:
  GlobalPoolStep(PoolKind kind, const ImageSizes& sizes, const PoolRequest& request)
      : kind_(kind), sizes_(sizes), request_(request) {}
  void run(void* const* tensors, void*) const override {
    global_pool(kind_, sizes_.images, sizes_.channels, sizes_.pixels, request_,
                static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[1]));
  }
  StepReport report() const override { return {"global", "", request_.threads}; }

 private:
  PoolKind kind_;
  ImageSizes sizes_;
  PoolRequest request_;
};

template <PoolKind kind>
std::unique_ptr<Step> plan_global(const StepArgs& args) {
  return std::make_unique<GlobalPoolStep>(kind, image_sizes(args.shape(0)), request_of(args));
}

OpDef window(const char* name, std::vector<TensorType> (*infer_op)(const NodeArgs&),
             std::unique_ptr<Step> (*plan_op)(const StepArgs&), bool (*planes_op)(const StepArgs&)) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"kernel", AttributeKind::integers},    {"stride", AttributeKind::integers},
                   {"padding", AttributeKind::integers},   {"dilation", AttributeKind::integers},
                   {"ceil_mode", AttributeKind::integer},  {"count_include_pad", AttributeKind::integer},
                   {"divisor", AttributeKind::integer}};
  op.infer = infer_op;
  op.plan = plan_op;
  op.layout = LayoutRule::channels_last;
  op.planes = planes_op;
  op.strided = true;
  return op;
}

OpDef global(const char* name, std::unique_ptr<Step> (*plan_op)(const StepArgs&)) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.infer = infer_global;
  op.plan = plan_op;
  op.layout = LayoutRule::follow;
  op.strided = true;
  return op;
}

}  // namespace

const OpDef op_max_pool = window("max_pool", infer<PoolKind::max>, plan<PoolKind::max>, planes<PoolKind::max>);
const OpDef op_avg_pool = window("avg_pool", infer<PoolKind::avg>, plan<PoolKind::avg>, planes<PoolKind::avg>);
const OpDef op_global_avg_pool = global("global_avg_pool", plan_global<PoolKind::avg>);
const OpDef op_global_max_pool = global("global_max_pool", plan_global<PoolKind::max>);

}  // namespace pyconv
