// Images of any number of axes. resize: attributes sizes and scales for every axis of x, and ONNX's modes.
// max_pool_nd, avg_pool_nd, lp_pool: kernel, stride, dilation, padding (all befores, then all afters),
// ceil_mode, positions (a second output), column_major, count_include_pad, p. instance_norm: x, scale, bias; eps.
#include <algorithm>

#include "net/ops/tensor_common.h"
#include "ops/tensor/norm_nd.h"
#include "ops/tensor/pool_nd.h"
#include "ops/tensor/resize_nd.h"

namespace pyconv {

namespace {

std::vector<ResizeNdAxis> resize_axes(const NodeArgs& args) {
  const Shape& x = args.shape(0);
  const auto rank = static_cast<std::size_t>(x.rank);
  const Integers sizes = args.attributes().integers("sizes", {});
  const Numbers scales = args.attributes().numbers("scales", {});
  const Numbers roi = args.attributes().numbers("roi", {});
  if (sizes.size() != rank || (!scales.empty() && scales.size() != rank) ||
      (!roi.empty() && roi.size() != 2 * rank))
    args.refuse("sizes, scales, roi: expected one, one and two for each axis of " + x.text() + ", got " +
                std::to_string(sizes.size()) + ", " + std::to_string(scales.size()) + " and " +
                std::to_string(roi.size()));
  std::vector<ResizeNdAxis> axes;
  for (std::size_t i = 0; i < rank; ++i) {
    ResizeNdAxis axis;
    axis.size = x[static_cast<int>(i)];
    axis.out = sizes[i];
    axis.scale = static_cast<double>(axis.out) / static_cast<double>(std::max<std::int64_t>(1, axis.size));
    if (!scales.empty()) axis.scale = scales[i];
    if (axis.out == 0) axis.scale = 1.0;
    if (!roi.empty()) axis.start = roi[i], axis.end = roi[rank + i];
    axes.push_back(axis);
  }
  return axes;
}

ResizeNdOptions resize_options(const NodeArgs& args) {
  const Attributes& a = args.attributes();
  ResizeNdOptions options;
  const std::string mode = a.text("mode", "nearest"), rule = a.text("nearest_mode", "round_prefer_floor");
  const std::string coordinates = a.text("coordinates", "half_pixel");
  if (!parse_interpolation(mode, &options.mode))
    args.refuse("mode: expected nearest, linear or cubic, got '" + mode + "'");
  if (!parse_coordinates(coordinates, &options.coordinates))
    args.refuse("coordinates: expected ONNX's name of a transformation, got '" + coordinates + "'");
  if (!parse_nearest_rule(rule, &options.nearest))
    args.refuse("nearest_mode: expected ONNX's name of a rule, got '" + rule + "'");
  options.cubic_a = a.number("cubic_a", -0.75);
  options.exclude_outside = a.integer("exclude_outside", 0) != 0;
  options.antialias = a.integer("antialias", 0) != 0;
  options.extrapolation = static_cast<float>(a.number("extrapolation", 0.0));
  return options;
}

std::vector<TensorType> infer_resize(const NodeArgs& args) {
  args.need_f32(0, "x");
  resize_options(args);
  Shape out = args.shape(0);
  const std::vector<ResizeNdAxis> axes = resize_axes(args);
  for (int i = 0; i < out.rank; ++i) out[i] = axes[static_cast<std::size_t>(i)].out;
  return {{DType::f32, out}};
}

std::unique_ptr<Step> plan_resize(const StepArgs& args) {
  const std::vector<ResizeNdAxis> axes = resize_axes(args);
  std::vector<ResizeNdAxis> ordered;
  for (const int axis : memory_order(args.shape(0).rank, args.in[0]))
    ordered.push_back(axes[static_cast<std::size_t>(axis)]);
  const auto plan = refusing(args, [&] {
    return std::make_shared<ResizeNd>(ordered, resize_options(args));
  });
  const int threads = args.options.threads;
  return function_step(
      [plan, threads](void* const* tensors, void* workspace) {
        plan->run(static_cast<const float*>(tensors[0]), static_cast<float*>(tensors[1]), workspace,
                  threads);
      },
      plan->workspace_bytes());
}

OpDef define_resize() {
  OpDef op{};
  op.name = "resize";
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"sizes", AttributeKind::integers},        {"scales", AttributeKind::numbers},
                   {"roi", AttributeKind::numbers},           {"mode", AttributeKind::text},
                   {"coordinates", AttributeKind::text},      {"nearest_mode", AttributeKind::text},
                   {"cubic_a", AttributeKind::number},        {"exclude_outside", AttributeKind::integer},
                   {"antialias", AttributeKind::integer},     {"extrapolation", AttributeKind::number}};
  op.infer = infer_resize;
  op.plan = plan_resize;
  op.layout = LayoutRule::follow;
  return op;
}

template <PoolNdKind kKind>
PoolNdProblem pool_problem(const NodeArgs& args) {
  const Shape& x = args.shape(0);
  const Attributes& a = args.attributes();
  if (x.rank < 3) args.refuse("x: expected (N, C, ...), got " + x.text());
  PoolNdProblem p;
  p.kind = kKind;
  p.dtype = args.input(0).dtype;
  p.planes = x[0] * x[1];
  p.rank = x.rank - 2;
  const auto rank = static_cast<std::size_t>(p.rank);
  const Integers kernel = a.integers("kernel", {}), stride = a.integers("stride", Integers(rank, 1));
  const Integers dilation = a.integers("dilation", Integers(rank, 1));
  const Integers padding = a.integers("padding", Integers(2 * rank, 0));
  if (kernel.size() != rank || stride.size() != rank || dilation.size() != rank ||
      padding.size() != 2 * rank)
    args.refuse("kernel, stride, dilation, padding: expected one of each (two of padding) for each of " +
                std::to_string(p.rank) + " axes");
  for (std::size_t i = 0; i < rank; ++i) {
    PoolNdAxis& axis = p.axes[i];
    axis.size = x[static_cast<int>(i) + 2];
    axis.kernel = kernel[i], axis.stride = stride[i], axis.dilation = dilation[i];
    axis.before = padding[i], axis.after = padding[rank + i];
    axis.ceil_mode = a.integer("ceil_mode", 0) != 0;
  }
  p.include_pad = a.integer("count_include_pad", 0) != 0;
  p.p = a.number("p", 2.0);
  p.column_major = a.integer("column_major", 0) != 0;
  refusing(args, [&] {
    p.validate();
    return 0;
  });
  return p;
}

bool wants_positions(const NodeArgs& args) { return args.attributes().integer("positions", 0) != 0; }

template <PoolNdKind kKind>
std::vector<TensorType> infer_pool(const NodeArgs& args) {
  const PoolNdProblem p = pool_problem<kKind>(args);
  Shape out = args.shape(0);
  for (int i = 0; i < p.rank; ++i) out[i + 2] = p.axes[i].out();
  std::vector<TensorType> types = {{p.dtype, out}};
  if (wants_positions(args)) types.push_back({DType::i64, out});
  return types;
}

template <PoolNdKind kKind>
std::unique_ptr<Step> plan_pool(const StepArgs& args) {
  const PoolNdProblem p = pool_problem<kKind>(args);
  const bool positions = wants_positions(args);
  const Isa cap = args.options.max_isa;
  const int threads = args.options.threads;
  return function_step([p, positions, cap, threads](void* const* tensors, void*) {
    pool_nd(p, tensors[0], tensors[1], positions ? static_cast<std::int64_t*>(tensors[2]) : nullptr,
            cap, threads);
  });
}

template <PoolNdKind kKind>
OpDef pool(const char* name) {
  OpDef op{};
  op.name = name;
  op.least_inputs = op.most_inputs = 1;
  op.attributes = {{"kernel", AttributeKind::integers},   {"stride", AttributeKind::integers},
                   {"dilation", AttributeKind::integers}, {"padding", AttributeKind::integers},
                   {"ceil_mode", AttributeKind::integer}};
  if (kKind == PoolNdKind::max) {
    op.attributes.push_back({"positions", AttributeKind::integer});
    op.attributes.push_back({"column_major", AttributeKind::integer});
  }
  if (kKind == PoolNdKind::avg) op.attributes.push_back({"count_include_pad", AttributeKind::integer});
  if (kKind == PoolNdKind::lp) op.attributes.push_back({"p", AttributeKind::number});
  op.infer = infer_pool<kKind>;
  op.plan = plan_pool<kKind>;
  return op;
}

std::vector<TensorType> infer_instance_norm(const NodeArgs& args) {
  args.need_f32(0, "x");
  const Shape& x = args.shape(0);
  if (x.rank < 3) args.refuse("x: expected (N, C, ...), got " + x.text());
  for (const std::size_t i : {1u, 2u}) {
    args.need_f32(i, i == 1 ? "scale" : "bias");
    if (args.shape(i) != Shape{x[1]})
      args.refuse(std::string(i == 1 ? "scale" : "bias") + ": expected shape " + Shape{x[1]}.text() +
                  ", got " + args.shape(i).text());
  }
  return infer_same(args);
}

std::unique_ptr<Step> plan_instance_norm(const StepArgs& args) {
  const ImageSizes sizes = image_sizes(args.shape(0));
  const float eps = static_cast<float>(args.attributes().number("eps", 1e-5));
  const int threads = args.options.threads;
  return function_step([sizes, eps, threads](void* const* tensors, void*) {
    instance_norm(sizes.images, sizes.channels, sizes.pixels, eps,
                  static_cast<const float*>(tensors[0]), static_cast<const float*>(tensors[1]),
                  static_cast<const float*>(tensors[2]), static_cast<float*>(tensors[3]), threads);
  });
}

OpDef define_instance_norm() {
  OpDef op{};
  op.name = "instance_norm";
  op.least_inputs = op.most_inputs = 3;
  op.attributes = {{"eps", AttributeKind::number}};
  op.infer = infer_instance_norm;
  op.plan = plan_instance_norm;
  return op;
}

}  // namespace

const OpDef op_resize = define_resize();
const OpDef op_max_pool_nd = pool<PoolNdKind::max>("max_pool_nd");
const OpDef op_avg_pool_nd = pool<PoolNdKind::avg>("avg_pool_nd");
const OpDef op_lp_pool = pool<PoolNdKind::lp>("lp_pool");
const OpDef op_instance_norm = define_instance_norm();

}  // namespace pyconv
