// Pooling to Python.
#include "bindings/fastcall.h"
#include "ops/extents.h"
#include "ops/pool.h"

namespace pyconv {

namespace {

const char* input_form(Layout layout) {
  return layout == Layout::nchw ? "(N, C, H, W)" : "(N, H, W, C)";
}

bool parse_bool(py::handle object, const char* name) {
  if (PyBool_Check(object.ptr())) return object.ptr() == Py_True;
  if (PyIndex_Check(object.ptr())) return parse_int(object, name) != 0;
  throw py::type_error(std::string(name) + ": expected a bool, got " +
                       Py_TYPE(object.ptr())->tp_name);
}

PoolRequest parse_request(const FloatArray& x, Layout layout, py::handle threads,
                          py::handle max_isa, py::handle kernel) {
  PoolRequest request;
  request.src_layout = request.dst_layout = layout;
  request.threads = parse_threads_for(threads, x.size());
  request.max_isa = parse_max_isa(max_isa);
  if (!kernel.is_none()) request.kernel = parse_string(kernel, "kernel");
  return request;
}

// Kernel size, stride (None: the kernel size), padding and the image's sizes.
void parse_windows(const FloatArray& x, Layout layout, py::handle kernel_size, py::handle stride,
                   py::handle padding, Pool2dProblem* p) {
  const bool nchw = layout == Layout::nchw;
  p->mb = x.shape(0);
  p->c = x.shape(nchw ? 1 : 3);
  p->ih = x.shape(nchw ? 2 : 1);
  p->iw = x.shape(nchw ? 3 : 2);
  parse_pair(kernel_size, "kernel_size", &p->kh, &p->kw);
  if (stride.is_none()) {
    p->sh = p->kh;
    p->sw = p->kw;
  } else {
    parse_pair(stride, "stride", &p->sh, &p->sw);
  }
  parse_pair(padding, "padding", &p->ph, &p->pw);
}

py::object run(const Pool2dProblem& p, const PoolRequest& request, const FloatArray& x,
               py::handle out) {
  const Pool2dPlan plan(p, request);
  const FloatArray y = request.dst_layout == Layout::nchw
                           ? float_output(out, {p.mb, p.c, p.oh(), p.ow()}, {&x})
                           : float_output(out, {p.mb, p.oh(), p.ow(), p.c}, {&x});
  const float* src = x.data();
  float* dst = y.mutable_data();
  without_gil(x.size(), [&] {
    plan.run(src, dst, one_shot_workspace().take(plan.workspace_bytes()).data());
  });
  return y.array;
}

// (x, kernel_size, stride, padding, dilation, ceil_mode, layout, out, threads, max_isa, kernel)
py::object max_pool2d(FastArgs args) {
  const Layout layout = parse_layout(args[6]);
  const FloatArray x = float_input(args[0], "x", 4, input_form(layout));
  const PoolRequest request = parse_request(x, layout, args[8], args[9], args[10]);
  Pool2dProblem p;
  parse_windows(x, layout, args[1], args[2], args[3], &p);
  parse_pair(args[4], "dilation", &p.dh, &p.dw);
  p.ceil_mode = parse_bool(args[5], "ceil_mode");
  return run(p, request, x, args[7]);
}

// (x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout, out,
//  threads, max_isa, kernel)
py::object avg_pool2d(FastArgs args) {
  const Layout layout = parse_layout(args[7]);
  const FloatArray x = float_input(args[0], "x", 4, input_form(layout));
  const PoolRequest request = parse_request(x, layout, args[9], args[10], args[11]);
  Pool2dProblem p;
  p.kind = PoolKind::avg;
  parse_windows(x, layout, args[1], args[2], args[3], &p);
  p.ceil_mode = parse_bool(args[4], "ceil_mode");
  p.include_pad = parse_bool(args[5], "count_include_pad");
  if (args[6] != Py_None) {
    p.divisor = parse_int(args[6], "divisor_override");
    if (p.divisor == 0)
      throw InvalidArgument("divisor_override: expected None or an int other than 0, got 0");
  }
  return run(p, request, x, args[8]);
}

// (x, layout, out, threads, max_isa, kernel)
template <PoolKind kind>
py::object global_pool2d(FastArgs args) {
  const Layout layout = parse_layout(args[1]);
  const FloatArray x = float_input(args[0], "x", 4, input_form(layout));
  const PoolRequest request = parse_request(x, layout, args[3], args[4], args[5]);
  const bool nchw = layout == Layout::nchw;
  const std::int64_t n = x.shape(0), c = x.shape(nchw ? 1 : 3);
  const std::int64_t height = x.shape(nchw ? 2 : 1), width = x.shape(nchw ? 3 : 2);
  need_extent("x height", height, 1);
  need_extent("x width", width, 1);
  const FloatArray y = nchw ? float_output(args[2], {n, c, 1, 1}, {&x})
                            : float_output(args[2], {n, 1, 1, c}, {&x});
  const float* src = x.data();
  float* dst = y.mutable_data();
  without_gil(x.size(), [&] { global_pool(kind, n, c, height * width, request, src, dst); });
  return y.array;
}

#define PYCONV_DEF(count, body, name) fastcall_def<count, body>(name, "See pyconv." name ".")
PyMethodDef kMaxPool = PYCONV_DEF(11, max_pool2d, "max_pool2d");
PyMethodDef kAvgPool = PYCONV_DEF(12, avg_pool2d, "avg_pool2d");
PyMethodDef kGlobalMax = PYCONV_DEF(6, global_pool2d<PoolKind::max>, "global_max_pool2d");
PyMethodDef kGlobalAvg = PYCONV_DEF(6, global_pool2d<PoolKind::avg>, "global_avg_pool2d");
#undef PYCONV_DEF

}  // namespace

void register_pool(py::module_& m) {
  for (PyMethodDef* def : {&kMaxPool, &kAvgPool, &kGlobalMax, &kGlobalAvg}) add_fastcall(m, *def);
}

}  // namespace pyconv
