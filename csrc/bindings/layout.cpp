// Conversions of layout to Python.
#include "bindings/fastcall.h"
#include "ops/layout.h"

namespace pyconv {

namespace {

// (x, out, threads, max_isa, kernel)
template <bool to_nhwc>
py::object convert(FastArgs args) {
  const FloatArray x = float_input(args[0], "x", 4, to_nhwc ? "(N, C, H, W)" : "(N, H, W, C)");
  const int threads = parse_threads_for(args[2], x.size());
  const Isa cap = parse_max_isa(args[3]);
  const std::string name = args[4] == Py_None ? std::string() : parse_string(args[4], "kernel");
  const TransposeKernel* kernel = find_transpose(cap, name);
  if (!kernel)
    throw InvalidArgument("kernel: expected a transpose row that " + std::string(isa_name(cap)) +
                          " allows, got '" + name + "'");
  const std::int64_t n = x.shape(0), a = x.shape(1), b = x.shape(2), c = x.shape(3);
  const FloatArray y = to_nhwc ? float_output(args[1], {n, b, c, a}, {&x})
                               : float_output(args[1], {n, c, a, b}, {&x});
  const float* src = x.data();
  float* dst = y.mutable_data();
  without_gil(x.size(), [&] {
    const std::int64_t rows = to_nhwc ? a : a * b, cols = to_nhwc ? b * c : c;
    transpose(*kernel, src, dst, n, rows, cols, {cols, rows}, threads);
  });
  return y.array;
}

PyMethodDef kToNhwc = fastcall_def<5, convert<true>>("nchw_to_nhwc", "See pyconv.nchw_to_nhwc.");
PyMethodDef kToNchw = fastcall_def<5, convert<false>>("nhwc_to_nchw", "See pyconv.nhwc_to_nchw.");

}  // namespace

void register_layout(py::module_& m) {
  add_fastcall(m, kToNhwc);
  add_fastcall(m, kToNchw);
}

}  // namespace pyconv
