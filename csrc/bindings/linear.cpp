// linear and LinearPlan to Python.
#include "bindings/fastcall.h"
#include "ops/extents.h"
#include "ops/linear.h"

namespace pyconv {

namespace {

LinearRequest parse_request(py::handle activation, py::handle accuracy, py::handle max_isa,
                            py::handle kernel) {
  LinearRequest request;
  request.activation = parse_activation_argument(activation);
  request.accuracy = parse_accuracy(accuracy);
  request.max_isa = parse_max_isa(max_isa);
  if (!kernel.is_none()) request.kernel = parse_string(kernel, "kernel");
  return request;
}

FloatArray parse_bias(py::handle object, std::int64_t n) {
  FloatArray bias = float_input(object, "bias", 1, "(out_features,)");
  if (bias.shape(0) != n)
    throw InvalidArgument("bias: expected shape " + shape_text({n}) + ", got " +
                          shape_text(bias.array));
  return bias;
}

FloatArray parse_x(py::handle object, std::int64_t k) {
  FloatArray x = float_input(object, "x", -1, "(..., in_features)");
  if (x.rank() < 1 || x.shape(x.rank() - 1) != k)
    throw InvalidArgument("x: expected shape (..., " + std::to_string(k) +
                          ") for the weight's in_features, got " + shape_text(x.array));
  return x;
}

// Rows of x, and the shape of the result.
std::int64_t rows_of(const FloatArray& x, std::int64_t n, std::vector<std::int64_t>* shape) {
  std::int64_t m = 1;
  for (int i = 0; i + 1 < x.rank(); ++i) {
    shape->push_back(x.shape(i));
    m *= x.shape(i);
  }
  shape->push_back(n);
  need_elements("output", {m, n});
  return m;
}

// (x, weight, bias, activation, accuracy, out, threads, max_isa, kernel)
py::object linear_once(FastArgs args) {
  LinearRequest request = parse_request(args[3], args[4], args[7], args[8]);
  const FloatArray weight = float_input(args[1], "weight", 2, "(out_features, in_features)");
  const std::int64_t n = weight.shape(0), k = weight.shape(1);
  const FloatArray x = parse_x(args[0], k);
  FloatArray bias;
  const bool biased = args[2] != Py_None;
  if (biased) bias = parse_bias(args[2], n);
  std::vector<std::int64_t> shape;
  const std::int64_t m = rows_of(x, n, &shape);
  std::vector<const FloatArray*> inputs = {&x, &weight};
  if (biased) inputs.push_back(&bias);
  const FloatArray y = float_output(args[5], shape, inputs);
  request.threads = parse_threads_for(args[6], weight.size() + x.size());
  const float *px = x.data(), *pw = weight.data(), *pb = biased ? bias.data() : nullptr;
  float* py = y.mutable_data();
  without_gil(weight.size(), [&] { linear(m, n, k, request, px, pw, pb, py); });
  return y.array;
}

PyMethodDef kLinear = fastcall_def<9, linear_once>("linear", "See pyconv.linear.");

std::unique_ptr<LinearPlan> make_plan(py::handle weight_object, py::handle bias_object,
                                      py::handle activation, py::handle accuracy,
                                      py::handle threads, py::handle max_isa, py::handle kernel) {
  LinearRequest request = parse_request(activation, accuracy, max_isa, kernel);
  request.threads = parse_threads(threads);
  const FloatArray weight = float_input(weight_object, "weight", 2, "(out_features, in_features)");
  FloatArray bias;
  if (!bias_object.is_none()) bias = parse_bias(bias_object, weight.shape(0));
  return std::make_unique<LinearPlan>(weight.shape(0), weight.shape(1), request, weight.data(),
                                      bias_object.is_none() ? nullptr : bias.data());
}

py::array call_plan(const LinearPlan& plan, py::handle input, py::handle out) {
  const FloatArray x = parse_x(input, plan.k());
  std::vector<std::int64_t> shape;
  const std::int64_t m = rows_of(x, plan.n(), &shape);
  const FloatArray y = float_output(out, shape, {&x});
  const float* src = x.data();
  float* dst = y.mutable_data();
  without_gil(plan.n() * plan.k(), [&] { plan.run(src, m, dst); });
  return y.array;
}

}  // namespace

void register_linear(py::module_& m) {
  add_fastcall(m, kLinear);
  py::class_<LinearPlan>(m, "LinearPlan")
      .def(py::init(&make_plan))
      .def("__call__", &call_plan, py::arg("x"), py::arg("out") = py::none())
      .def_property_readonly("in_features", &LinearPlan::k)
      .def_property_readonly("out_features", &LinearPlan::n)
      .def_property_readonly("kernels", &LinearPlan::kernels)
      .def_property_readonly("packed_bytes", &LinearPlan::packed_bytes);
}

}  // namespace pyconv
