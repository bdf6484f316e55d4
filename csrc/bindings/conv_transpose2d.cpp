// conv_transpose2d and ConvTranspose2dPlan to Python.
#include "bindings/fastcall.h"
#include "ops/conv_transpose2d.h"

namespace pyconv {

namespace {

using Problem = ConvTranspose2dProblem;

const char* input_form(Layout layout) {
  return layout == Layout::nchw ? "(N, C, H, W)" : "(N, H, W, C)";
}

ConvTranspose2dRequest parse_request(py::handle activation, py::handle accuracy, Layout layout,
                                     py::handle max_isa, py::handle kernel) {
  ConvTranspose2dRequest request;
  request.activation = parse_activation_argument(activation);
  parse_accuracy(accuracy);  // both accuracies run the same chains
  request.layout = layout;
  request.max_isa = parse_max_isa(max_isa);
  if (!kernel.is_none()) request.kernel = parse_string(kernel, "kernel");
  return request;
}

// int, pair or (top, bottom, left, right).
void parse_padding(py::handle object, Problem* p) {
  const bool sequence = py::isinstance<py::tuple>(object) || py::isinstance<py::list>(object);
  if (!sequence || py::len(object) == 2) {
    parse_pair(object, "padding", &p->pt, &p->pl);
    p->pb = p->pt;
    p->pr = p->pl;
    return;
  }
  if (py::len(object) != 4)
    throw InvalidArgument("padding: expected an int, a pair or (top, bottom, left, right), got " +
                          std::to_string(py::len(object)) + " values");
  const py::sequence sides = py::reinterpret_borrow<py::sequence>(object);
  std::int64_t* const into[] = {&p->pt, &p->pb, &p->pl, &p->pr};
  for (int i = 0; i < 4; ++i) *into[i] = parse_int(py::object(sides[i]), "padding");
}

// x: N, C, H, W of the input.
Problem problem_of(const std::int64_t (&x)[4], const FloatArray& weight, py::handle stride,
                   py::handle padding, py::handle output_padding, py::handle dilation,
                   py::handle groups) {
  Problem p;
  p.mb = x[0];
  p.ic = x[1];
  p.ih = x[2];
  p.iw = x[3];
  p.g = parse_int(groups, "groups");
  if (p.g < 1) throw InvalidArgument("groups: expected 1 or more, got " + std::to_string(p.g));
  p.kh = weight.shape(2);
  p.kw = weight.shape(3);
  if (weight.shape(0) != p.ic)
    throw InvalidArgument("weight: expected shape " +
                          shape_text({p.ic, weight.shape(1), p.kh, p.kw}) + " for " +
                          std::to_string(p.ic) + " input channels, got " +
                          shape_text(weight.array));
  p.oc = weight.shape(1) * p.g;
  parse_pair(stride, "stride", &p.sh, &p.sw);
  parse_pair(dilation, "dilation", &p.dh, &p.dw);
  parse_pair(output_padding, "output_padding", &p.eh, &p.ew);
  parse_padding(padding, &p);
  p.validate();
  return p;
}

FloatArray parse_weight(py::handle object) {
  return float_input(object, "weight", 4, "(in_channels, out_channels/groups, kH, kW)");
}

FloatArray parse_bias(py::handle object, std::int64_t channels) {
  FloatArray bias = float_input(object, "bias", 1, "(out_channels,)");
  if (bias.shape(0) != channels)
    throw InvalidArgument("bias: expected shape " + shape_text({channels}) + ", got " +
                          shape_text(bias.array));
  return bias;
}

void sizes_of(const FloatArray& x, Layout layout, std::int64_t (&sizes)[4]) {
  const bool nchw = layout == Layout::nchw;
  sizes[0] = x.shape(0);
  sizes[1] = x.shape(nchw ? 1 : 3);
  sizes[2] = x.shape(nchw ? 2 : 1);
  sizes[3] = x.shape(nchw ? 3 : 2);
}

FloatArray output_for(py::handle out, const Problem& p, Layout layout,
                      const std::vector<const FloatArray*>& inputs) {
  if (layout == Layout::nchw) return float_output(out, {p.mb, p.oc, p.oh(), p.ow()}, inputs);
  return float_output(out, {p.mb, p.oh(), p.ow(), p.oc}, inputs);
}

// (x, weight, bias, stride, padding, output_padding, dilation, groups, activation, accuracy, layout,
//  out, threads, max_isa, kernel)
py::object conv_transpose2d(FastArgs args) {
  const Layout layout = parse_layout(args[10]);
  ConvTranspose2dRequest request = parse_request(args[8], args[9], layout, args[13], args[14]);
  const FloatArray x = float_input(args[0], "x", 4, input_form(layout));
  const FloatArray weight = parse_weight(args[1]);
  std::int64_t sizes[4];
  sizes_of(x, layout, sizes);
  const Problem p = problem_of(sizes, weight, args[3], args[4], args[5], args[6], args[7]);
  FloatArray bias;
  const bool biased = args[2] != Py_None;
  if (biased) bias = parse_bias(args[2], p.oc);
  std::vector<const FloatArray*> inputs = {&x, &weight};
  if (biased) inputs.push_back(&bias);
  const FloatArray y = output_for(args[11], p, layout, inputs);
  request.threads = parse_threads_for(args[12], p.dst_size() + p.src_size());
  const float *px = x.data(), *pw = weight.data(), *pb = biased ? bias.data() : nullptr;
  float* py = y.mutable_data();
  without_gil(p.macs(), [&] {
    const ConvTranspose2dPlan plan(p, request, pw, pb);
    plan.run(px, py, one_shot_workspace().take(plan.workspace_bytes()).data());
  });
  return y.array;
}

PyMethodDef kConvTranspose2d =
    fastcall_def<15, conv_transpose2d>("conv_transpose2d", "See pyconv.conv_transpose2d.");

// A plan with the scratch of its calls.
struct PyPlan {
  ConvTranspose2dPlan plan;
  WorkspacePool pool;
  PyPlan(const Problem& p, const ConvTranspose2dRequest& request, const float* weight,
         const float* bias)
      : plan(p, request, weight, bias) {}
};

std::unique_ptr<PyPlan> make_plan(py::handle x_shape, py::handle weight_object,
                                  py::handle bias_object, py::handle stride, py::handle padding,
                                  py::handle output_padding, py::handle dilation,
                                  py::handle groups, py::handle activation, py::handle accuracy,
                                  py::handle layout_object, py::handle threads, py::handle max_isa,
                                  py::handle kernel) {
  ConvTranspose2dRequest request =
      parse_request(activation, accuracy, parse_layout(layout_object), max_isa, kernel);
  request.threads = parse_threads(threads);
  if (!py::isinstance<py::sequence>(x_shape) || py::len(x_shape) != 4)
    throw InvalidArgument("x_shape: expected four sizes, got " + py::repr(x_shape).cast<std::string>());
  const py::sequence shape = py::reinterpret_borrow<py::sequence>(x_shape);
  std::int64_t sizes[4];
  for (int i = 0; i < 4; ++i) sizes[i] = parse_int(py::object(shape[i]), "x_shape");
  const FloatArray weight = parse_weight(weight_object);
  const Problem p = problem_of(sizes, weight, stride, padding, output_padding, dilation, groups);
  FloatArray bias;
  if (!bias_object.is_none()) bias = parse_bias(bias_object, p.oc);
  return std::make_unique<PyPlan>(p, request, weight.data(),
                                  bias_object.is_none() ? nullptr : bias.data());
}

py::array call_plan(PyPlan& self, py::handle input, py::handle out) {
  const Problem& p = self.plan.problem();
  const Layout layout = self.plan.layout();
  const FloatArray x = float_input(input, "x", 4, input_form(layout));
  std::int64_t sizes[4];
  sizes_of(x, layout, sizes);
  if (sizes[0] != p.mb || sizes[1] != p.ic || sizes[2] != p.ih || sizes[3] != p.iw)
    throw InvalidArgument("x: expected shape " +
                          (layout == Layout::nchw ? shape_text({p.mb, p.ic, p.ih, p.iw})
                                                  : shape_text({p.mb, p.ih, p.iw, p.ic})) +
                          ", got " + shape_text(x.array));
  const FloatArray y = output_for(out, p, layout, {&x});
  const float* src = x.data();
  float* dst = y.mutable_data();
  without_gil(p.macs(), [&] {
    self.plan.run(src, dst, self.pool.take(self.plan.workspace_bytes()).data());
  });
  return y.array;
}

}  // namespace

void register_conv_transpose2d(py::module_& m) {
  add_fastcall(m, kConvTranspose2d);
  py::class_<PyPlan>(m, "ConvTranspose2dPlan")
      .def(py::init(&make_plan))
      .def("__call__", &call_plan, py::arg("x"), py::arg("out") = py::none())
      .def_property_readonly("macs", [](const PyPlan& s) { return s.plan.problem().macs(); })
      .def_property_readonly("kernels", [](const PyPlan& s) { return s.plan.kernels(); })
      .def_property_readonly("threads", [](const PyPlan& s) { return s.plan.threads(); })
      .def_property_readonly("workspace_bytes",
                             [](const PyPlan& s) { return s.plan.workspace_bytes(); })
      .def_property_readonly("packed_bytes", [](const PyPlan& s) { return s.plan.packed_bytes(); });
}

}  // namespace pyconv
