// Convolution and pooling of operands that are channels of wider NHWC tensors, or of mixed layouts, as
// networks run them: for tests. Operands are flat arrays that hold exactly what a run may touch.
#include <pybind11/stl.h>

#include "bindings/arguments.h"
#include "ops/conv2d/plan.h"
#include "ops/pool.h"

namespace pyconv {

namespace {

template <class T>
T option(const py::dict& options, const char* name, T missing) {
  return options.contains(name) ? options[name].cast<T>() : missing;
}

Layout layout_option(const py::dict& options, const char* name) {
  return options.contains(name) ? parse_layout(options[name]) : Layout::nhwc;
}

// Floats from the first to the last of `pixels` x `channels`, `stride` from pixel to pixel.
std::int64_t extent(std::int64_t pixels, std::int64_t channels, std::int64_t stride) {
  if (pixels * channels == 0) return 0;
  return stride ? (pixels - 1) * stride + channels : pixels * channels;
}

FloatArray operand(py::handle object, const char* name, std::int64_t floats) {
  FloatArray array = float_input(object, name, 1, "(floats,)");
  if (array.size() != floats)
    throw InvalidArgument(std::string(name) + ": expected shape " + shape_text({floats}) +
                          ", got " + shape_text(array.array));
  return array;
}

Conv2dRequest conv_request(const py::dict& options) {
  Conv2dRequest request;
  request.src_layout = layout_option(options, "src_layout");
  request.dst_layout = layout_option(options, "dst_layout");
  request.src_pixel = option<std::int64_t>(options, "src_pixel", 0);
  request.dst_pixel = option<std::int64_t>(options, "dst_pixel", 0);
  request.residual_pixel = option<std::int64_t>(options, "residual_pixel", 0);
  request.accuracy = parse_accuracy(py::str(option<std::string>(options, "accuracy", "fast")));
  if (options.contains("activation"))
    request.activation = parse_activation_argument(options["activation"]);
  request.threads = option<int>(options, "threads", 1);
  request.tolerance = option<float>(options, "tolerance", 0.0f);
  request.max_isa = parse_max_isa(options.contains("max_isa") ? py::object(options["max_isa"])
                                                              : py::object(py::none()));
  return request;
}

// Runs into `dst`; returns the name of the algorithm.
std::string run_conv2d(const Conv2dProblem& p, py::handle weight_object, py::handle bias_object,
                       py::handle src_object, py::handle dst_object, py::handle residual_object,
                       const py::dict& options) {
  Conv2dRequest request = conv_request(options);
  request.residual = !residual_object.is_none();
  const FloatArray weight = operand(weight_object, "weight", p.weight_size());
  FloatArray bias, residual;
  if (!bias_object.is_none()) bias = operand(bias_object, "bias", p.oc);
  const Conv2dPlan plan(p, request, option<std::string>(options, "algorithm", "auto"),
                        weight.data(), bias_object.is_none() ? nullptr : bias.data());
  const std::int64_t in = p.mb * p.ih * p.iw, out = p.mb * p.oh() * p.ow();
  const FloatArray src = operand(src_object, "src", extent(in, p.ic, request.src_pixel));
  const FloatArray dst = operand(dst_object, "dst", extent(out, p.oc, request.dst_pixel));
  if (request.residual)
    residual = operand(residual_object, "residual", extent(out, p.oc, request.residual_pixel));
  AlignedBuffer workspace(plan.workspace_bytes());
  plan.run(src.data(), dst.mutable_data(), workspace.data(),
           request.residual ? residual.data() : nullptr);
  return plan.algorithm();
}

PoolRequest pool_request(const py::dict& options) {
  PoolRequest request;
  request.src_layout = layout_option(options, "src_layout");
  request.dst_layout = layout_option(options, "dst_layout");
  request.src_pixel = option<std::int64_t>(options, "src_pixel", 0);
  request.dst_pixel = option<std::int64_t>(options, "dst_pixel", 0);
  request.max_isa = parse_max_isa(options.contains("max_isa") ? py::object(options["max_isa"])
                                                              : py::object(py::none()));
  return request;
}

// shape: (N, C, H, W) of src. A kernel of 0 pools globally.
void run_pool2d(const std::string& kind, const std::vector<std::int64_t>& shape,
                std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                py::handle src_object, py::handle dst_object, const py::dict& options) {
  const PoolRequest request = pool_request(options);
  Pool2dProblem p;
  p.kind = kind == "max" ? PoolKind::max : PoolKind::avg;
  p.mb = shape.at(0);
  p.c = shape.at(1);
  p.ih = shape.at(2);
  p.iw = shape.at(3);
  const FloatArray src =
      operand(src_object, "src", extent(p.mb * p.ih * p.iw, p.c, request.src_pixel));
  if (kernel == 0) {
    const FloatArray dst = operand(dst_object, "dst", extent(p.mb, p.c, request.dst_pixel));
    global_pool(p.kind, p.mb, p.c, p.ih * p.iw, request, src.data(), dst.mutable_data());
    return;
  }
  p.kh = p.kw = kernel;
  p.sh = p.sw = stride;
  p.ph = p.pw = padding;
  const Pool2dPlan plan(p, request);
  const FloatArray dst =
      operand(dst_object, "dst", extent(p.mb * p.oh() * p.ow(), p.c, request.dst_pixel));
  AlignedBuffer workspace(plan.workspace_bytes());
  plan.run(src.data(), dst.mutable_data(), workspace.data());
}

}  // namespace

void register_strided(py::module_& m) {
  m.def("_run_conv2d", &run_conv2d);
  m.def("_run_pool2d", &run_pool2d);
}

}  // namespace pyconv
