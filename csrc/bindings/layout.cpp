// Conversions of layout to Python.
#include "bindings/arguments.h"
#include "ops/layout.h"

namespace pyconv {

namespace {

// Below this many floats releasing the GIL costs more than it gives.
constexpr std::int64_t kReleaseGilFloats = 50000;

FloatArray converted(py::handle input, bool to_nhwc, py::handle out, py::handle threads_object,
                     py::handle max_isa_object, py::handle kernel_object) {
  const FloatArray x = float_input(input, "x", 4, to_nhwc ? "(N, C, H, W)" : "(N, H, W, C)");
  const int threads = parse_threads(threads_object);
  const Isa cap = parse_max_isa(max_isa_object);
  const std::string name =
      kernel_object.is_none() ? std::string() : parse_string(kernel_object, "kernel");
  const TransposeKernel* kernel = find_transpose(cap, name);
  if (!kernel)
    throw InvalidArgument("kernel: expected a transpose row that " + std::string(isa_name(cap)) +
                          " allows, got '" + name + "'");
  const std::int64_t n = x.shape(0), a = x.shape(1), b = x.shape(2), c = x.shape(3);
  const FloatArray y = to_nhwc ? float_output(out, {n, b, c, a}, {&x})
                               : float_output(out, {n, c, a, b}, {&x});
  const std::int64_t rows = to_nhwc ? a : a * b, cols = to_nhwc ? b * c : c;
  const float* src = x.data();
  float* dst = y.mutable_data();
  if (x.size() < kReleaseGilFloats) {
    transpose(*kernel, src, dst, n, rows, cols, threads);
  } else {
    py::gil_scoped_release release;
    transpose(*kernel, src, dst, n, rows, cols, threads);
  }
  return y;
}

// (x, out, threads, max_isa, kernel): positional only, called by pyconv.ops.
template <bool to_nhwc>
PyObject* convert(PyObject*, PyObject* const* args, Py_ssize_t count) {
  try {
    if (count != 5) throw py::type_error("expected 5 arguments");
    const FloatArray y = converted(args[0], to_nhwc, args[1], args[2], args[3], args[4]);
    return py::object(y.array).release().ptr();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

}  // namespace

void register_layout(py::module_& m) {
  add_function(m, "nchw_to_nhwc", convert<true>, "See pyconv.nchw_to_nhwc.");
  add_function(m, "nhwc_to_nchw", convert<false>, "See pyconv.nhwc_to_nchw.");
}

}  // namespace pyconv
