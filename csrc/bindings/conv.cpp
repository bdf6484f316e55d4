// conv2d, Conv2dProblem, Conv2dPlan and algorithms() to Python.
#include <pybind11/stl.h>

#include "bindings/arguments.h"
#include "ops/conv2d/plan.h"

namespace pyconv {

namespace {

// Below this many multiply-adds releasing the GIL costs more than it gives.
constexpr std::int64_t kReleaseGilMacs = 50000;

// Output extent of TensorFlow's "same": ceil(size / stride), the odd padding at the end.
void same_padding(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                  std::int64_t dilation, std::int64_t* before, std::int64_t* after) {
  // What validate() refuses, or no padding makes fit, must not overflow here.
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (stride < 1 || dilation < 1 || std::max({size, kernel, stride, dilation}) > most) return;
  if (kernel > most / dilation) return;
  const std::int64_t out = (size + stride - 1) / stride;
  const std::int64_t total =
      std::max<std::int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size);
  *before = total / 2;
  *after = total - total / 2;
}

// int, pair, (top, bottom, left, right), "same" or "valid". Kernel, stride and dilation are set.
void parse_padding(py::handle object, Conv2dProblem* p) {
  if (py::isinstance<py::str>(object)) {
    const std::string mode = object.cast<std::string>();
    if (mode == "same") {
      same_padding(p->ih, p->kh, p->sh, p->dh, &p->pt, &p->pb);
      same_padding(p->iw, p->kw, p->sw, p->dw, &p->pl, &p->pr);
    } else if (mode != "valid") {
      throw InvalidArgument(
          "padding: expected an int, a pair, (top, bottom, left, right), 'same' or 'valid', got '" +
          mode + "'");
    }
    return;
  }
  const bool sequence = py::isinstance<py::tuple>(object) || py::isinstance<py::list>(object);
  if (sequence && py::len(object) == 4) {
    const py::sequence sides = py::reinterpret_borrow<py::sequence>(object);
    std::int64_t* const into[] = {&p->pt, &p->pb, &p->pl, &p->pr};
    for (int i = 0; i < 4; ++i) *into[i] = parse_int(py::object(sides[i]), "padding");
    return;
  }
  if (sequence && py::len(object) != 2)
    throw InvalidArgument("padding: expected an int, a pair or (top, bottom, left, right), got " +
                          std::to_string(py::len(object)) + " values");
  parse_pair(object, "padding", &p->pt, &p->pl);
  p->pb = p->pt;
  p->pr = p->pl;
}

// x: N, C, H, W of the input; w: O, I/g, KH, KW.
Conv2dProblem problem_of(const std::int64_t (&x)[4], const std::int64_t (&w)[4], py::handle stride,
                         py::handle padding, py::handle dilation, py::handle groups) {
  Conv2dProblem p;
  p.mb = x[0];
  p.ic = x[1];
  p.ih = x[2];
  p.iw = x[3];
  p.oc = w[0];
  p.kh = w[2];
  p.kw = w[3];
  p.g = parse_int(groups, "groups");
  parse_pair(stride, "stride", &p.sh, &p.sw);
  parse_pair(dilation, "dilation", &p.dh, &p.dw);
  if (p.g < 1) throw InvalidArgument("groups: expected 1 or more, got " + std::to_string(p.g));
  if (p.ic % p.g == 0 && w[1] != p.icg())
    throw InvalidArgument("weight: expected shape " +
                          shape_text({p.oc, p.icg(), p.kh, p.kw}) + " for " +
                          std::to_string(p.ic) + " input channels and groups=" +
                          std::to_string(p.g) + ", got " + shape_text({w[0], w[1], w[2], w[3]}));
  parse_padding(padding, &p);
  p.validate();
  return p;
}

void shape_of(const FloatArray& x, Layout layout, std::int64_t (&shape)[4]) {
  const int c = layout == Layout::nchw ? 1 : 3;
  shape[0] = x.shape(0);
  shape[1] = x.shape(c);
  shape[2] = x.shape(layout == Layout::nchw ? 2 : 1);
  shape[3] = x.shape(layout == Layout::nchw ? 3 : 2);
}

const char* input_form(Layout layout) {
  return layout == Layout::nchw ? "(N, C, H, W)" : "(N, H, W, C)";
}

FloatArray parse_bias(py::handle object, std::int64_t channels) {
  FloatArray bias = float_input(object, "bias", 1, "(out_channels,)");
  if (bias.shape(0) != channels)
    throw InvalidArgument("bias: expected shape " + shape_text({channels}) + ", got " +
                          shape_text(bias.array));
  return bias;
}

FloatArray output_for(py::handle out, const Conv2dProblem& p, Layout layout,
                      const std::vector<const FloatArray*>& inputs) {
  if (layout == Layout::nchw) return float_output(out, {p.mb, p.oc, p.oh(), p.ow()}, inputs);
  return float_output(out, {p.mb, p.oh(), p.ow(), p.oc}, inputs);
}

void run_plan(const Conv2dPlan& plan, WorkspacePool& pool, const FloatArray& x,
              const FloatArray& y) {
  const float* src = x.data();
  float* dst = y.mutable_data();
  if (plan.problem().macs() < kReleaseGilMacs) {
    plan.run(src, dst, pool.take(plan.workspace_bytes()).data());
    return;
  }
  py::gil_scoped_release release;
  plan.run(src, dst, pool.take(plan.workspace_bytes()).data());
}

Conv2dRequest parse_request(py::handle activation, py::handle accuracy, py::handle layout,
                            py::handle threads, py::handle max_isa, py::handle kernel,
                            py::handle tolerance) {
  Conv2dRequest request;
  request.activation = parse_activation_argument(activation);
  request.accuracy = parse_accuracy(accuracy);
  request.src_layout = request.dst_layout = parse_layout(layout);
  request.threads = parse_threads(threads);
  request.max_isa = parse_max_isa(max_isa);
  if (!kernel.is_none()) request.kernel = parse_string(kernel, "kernel");
  request.tolerance = static_cast<float>(PyFloat_AsDouble(tolerance.ptr()));
  if (PyErr_Occurred()) throw py::error_already_set();
  if (!(request.tolerance >= 0.0f))
    throw InvalidArgument("tolerance: expected 0 or more, got " +
                          py::str(tolerance).cast<std::string>());
  return request;
}

// conv2d(x, weight, bias, stride, padding, dilation, groups, activation, algorithm, accuracy,
//        layout, out, threads, max_isa, kernel, tolerance): positional only, called by pyconv.ops.
PyObject* conv2d(PyObject*, PyObject* const* args, Py_ssize_t count) {
  try {
    if (count != 16) throw py::type_error("conv2d: expected 16 arguments");
    Conv2dRequest request =
        parse_request(args[7], args[9], args[10], args[12], args[13], args[14], args[15]);
    request.one_shot = true;
    const FloatArray x = float_input(args[0], "x", 4, input_form(request.src_layout));
    const FloatArray weight =
        float_input(args[1], "weight", 4, "(out_channels, in_channels/groups, kH, kW)");
    std::int64_t xs[4];
    shape_of(x, request.src_layout, xs);
    const Conv2dProblem p =
        problem_of(xs, {weight.shape(0), weight.shape(1), weight.shape(2), weight.shape(3)},
                   args[3], args[4], args[5], args[6]);
    FloatArray bias;
    const bool biased = args[2] != Py_None;
    if (biased) bias = parse_bias(args[2], p.oc);
    std::vector<const FloatArray*> inputs = {&x, &weight};
    if (biased) inputs.push_back(&bias);
    const FloatArray y = output_for(args[11], p, request.src_layout, inputs);
    const Conv2dPlan plan(p, request, parse_string(args[8], "algorithm"), weight.data(),
                          biased ? bias.data() : nullptr);
    run_plan(plan, one_shot_workspace(), x, y);
    return py::object(y.array).release().ptr();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

PyMethodDef kConv2d = {"conv2d", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(conv2d)),
                       METH_FASTCALL, "One-shot convolution; see pyconv.conv2d."};

// A Conv2dPlan with the scratch of its calls.
struct PyConv2dPlan {
  Conv2dPlan plan;
  WorkspacePool pool;
  PyConv2dPlan(const Conv2dProblem& p, const Conv2dRequest& request, const std::string& algorithm,
               const float* weight, const float* bias)
      : plan(p, request, algorithm, weight, bias) {}
};

std::unique_ptr<PyConv2dPlan> make_plan(const Conv2dProblem& p, py::handle weight_object,
                                        py::handle bias_object, py::handle activation,
                                        py::handle algorithm, py::handle accuracy,
                                        py::handle layout, py::handle threads, py::handle max_isa,
                                        py::handle kernel, py::handle tolerance) {
  const Conv2dRequest request =
      parse_request(activation, accuracy, layout, threads, max_isa, kernel, tolerance);
  const FloatArray weight =
      float_input(weight_object, "weight", 4, "(out_channels, in_channels/groups, kH, kW)");
  if (weight.shape(0) != p.oc || weight.shape(1) != p.icg() || weight.shape(2) != p.kh ||
      weight.shape(3) != p.kw)
    throw InvalidArgument("weight: expected shape " +
                          shape_text({p.oc, p.icg(), p.kh, p.kw}) + " for problem " + p.str() +
                          ", got " + shape_text(weight.array));
  FloatArray bias;
  if (!bias_object.is_none()) bias = parse_bias(bias_object, p.oc);
  return std::make_unique<PyConv2dPlan>(p, request, parse_string(algorithm, "algorithm"),
                                        weight.data(),
                                        bias_object.is_none() ? nullptr : bias.data());
}

py::array call_plan(PyConv2dPlan& self, py::handle input, py::handle out) {
  const Conv2dProblem& p = self.plan.problem();
  const Layout layout = self.plan.request().src_layout;
  const FloatArray x = float_input(input, "x", 4, input_form(layout));
  std::int64_t xs[4];
  shape_of(x, layout, xs);
  if (xs[0] != p.mb || xs[1] != p.ic || xs[2] != p.ih || xs[3] != p.iw)
    throw InvalidArgument(
        "x: expected shape " +
        (layout == Layout::nchw ? shape_text({p.mb, p.ic, p.ih, p.iw})
                                : shape_text({p.mb, p.ih, p.iw, p.ic})) +
        " for problem " + p.str() + ", got " + shape_text(x.array));
  const FloatArray y = output_for(out, p, layout, {&x});
  run_plan(self.plan, self.pool, x, y);
  return y.array;
}

py::list list_algorithms(const Conv2dProblem& p, const Conv2dRequest& request) {
  py::list entries;
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    const Verdict verdict = consider_conv2d(algorithm, p, request);
    entries.append(py::make_tuple(algorithm.name, verdict.accepted, verdict.reason, verdict.cost,
                                  verdict.workspace_bytes));
  }
  return entries;
}

py::list algorithms(const Conv2dProblem& p, py::handle weight_object, py::handle activation,
                    py::handle accuracy, py::handle layout, py::handle threads, py::handle max_isa,
                    py::handle kernel, py::handle tolerance) {
  Conv2dRequest request =
      parse_request(activation, accuracy, layout, threads, max_isa, kernel, tolerance);
  FloatArray weight;
  if (!weight_object.is_none()) {
    weight = float_input(weight_object, "weight", 4, "(out_channels, in_channels/groups, kH, kW)");
    if (weight.size() != p.weight_size() || weight.shape(0) != p.oc || weight.shape(2) != p.kh)
      throw InvalidArgument("weight: expected shape " +
                            shape_text({p.oc, p.icg(), p.kh, p.kw}) + ", got " +
                            shape_text(weight.array));
    request.weight = weight.data();
  }
  return list_algorithms(p, request);
}

void read_shape(py::handle object, const char* name, std::int64_t (&shape)[4]) {
  if (!py::isinstance<py::sequence>(object) || py::len(object) != 4)
    throw InvalidArgument(std::string(name) + ": expected four sizes, got " +
                          py::repr(object).cast<std::string>());
  const py::sequence sizes = py::reinterpret_borrow<py::sequence>(object);
  for (int i = 0; i < 4; ++i) shape[i] = parse_int(py::object(sizes[i]), name);
}

Conv2dProblem problem_from_shapes(py::handle x_shape, py::handle weight_shape, py::handle stride,
                                  py::handle padding, py::handle dilation, py::handle groups) {
  std::int64_t x[4], w[4];
  read_shape(x_shape, "x_shape", x);
  read_shape(weight_shape, "weight_shape", w);
  return problem_of(x, w, stride, padding, dilation, groups);
}

}  // namespace

void register_conv(py::module_& m) {
  PyObject* function = PyCFunction_NewEx(&kConv2d, nullptr, nullptr);
  if (!function) throw py::error_already_set();
  m.add_object("conv2d", function);

  py::class_<Conv2dProblem> problem(m, "Conv2dProblem",
                                    R"(The sizes of one convolution; compares, prints and parses as one line.

    Fields are named as in oneDNN: mb batch, g groups, ic and oc channels of all groups together, ih
    iw oh ow extents, kh kw kernel, sh sw stride, dh dw dilation (1 is dense), pt pb pl pr padding.

    >>> import pyconv
    >>> p = pyconv.Conv2dProblem("ic32oc64_ih112kh3ph1")
    >>> p.oh, p.macs
    (112, 231211008)
    )");
  problem.def(py::init(&Conv2dProblem::parse), py::arg("text"))
      .def_static("_from_shapes", &problem_from_shapes)
      .def("__str__", &Conv2dProblem::str)
      .def("__repr__",
           [](const Conv2dProblem& p) { return "Conv2dProblem('" + p.str() + "')"; })
      .def("__eq__", [](const Conv2dProblem& a, const Conv2dProblem& b) { return a == b; })
      .def("__hash__",
           [](const Conv2dProblem& p) { return std::hash<std::string>()(p.str()); })
      .def("__reduce__",
           [](const py::object& self) {
             return py::make_tuple(self.attr("__class__"), py::make_tuple(py::str(self)));
           })
      .def_property_readonly("oh", &Conv2dProblem::oh)
      .def_property_readonly("ow", &Conv2dProblem::ow)
      .def_property_readonly("macs", &Conv2dProblem::macs)
      .def_property_readonly("src_size", &Conv2dProblem::src_size)
      .def_property_readonly("dst_size", &Conv2dProblem::dst_size)
      .def_property_readonly("weight_size", &Conv2dProblem::weight_size);
#define PYCONV_FIELD(name) problem.def_readonly(#name, &Conv2dProblem::name)
  PYCONV_FIELD(mb); PYCONV_FIELD(g); PYCONV_FIELD(ic); PYCONV_FIELD(oc);
  PYCONV_FIELD(ih); PYCONV_FIELD(iw); PYCONV_FIELD(kh); PYCONV_FIELD(kw);
  PYCONV_FIELD(sh); PYCONV_FIELD(sw); PYCONV_FIELD(dh); PYCONV_FIELD(dw);
  PYCONV_FIELD(pt); PYCONV_FIELD(pl); PYCONV_FIELD(pb); PYCONV_FIELD(pr);
#undef PYCONV_FIELD

  py::class_<PyConv2dPlan>(m, "Conv2dPlan")
      .def(py::init(&make_plan))
      .def("__call__", &call_plan, py::arg("x"), py::arg("out") = py::none())
      .def_property_readonly("problem", [](const PyConv2dPlan& s) { return s.plan.problem(); })
      .def_property_readonly("algorithm", [](const PyConv2dPlan& s) { return s.plan.algorithm(); })
      .def_property_readonly("kernels", [](const PyConv2dPlan& s) { return s.plan.kernels(); })
      .def_property_readonly("threads", [](const PyConv2dPlan& s) { return s.plan.threads(); })
      .def_property_readonly("workspace_bytes",
                             [](const PyConv2dPlan& s) { return s.plan.workspace_bytes(); })
      .def_property_readonly("packed_bytes",
                             [](const PyConv2dPlan& s) { return s.plan.packed_bytes(); })
      .def("_candidates", [](const PyConv2dPlan& s) {
        return list_algorithms(s.plan.problem(), s.plan.request());
      });
  m.def("algorithms", &algorithms, "Verdicts as (name, accepted, reason, cost, workspace_bytes)");
}

}  // namespace pyconv
