// Softmax and normalisation to Python.
#include "bindings/fastcall.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/eltwise.h"
#include "ops/norm.h"
#include "ops/softmax.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// softmax(x, axis, log, out, threads, max_isa)
py::object softmax_call(FastArgs args) {
  const FloatArray x = float_input(args[0], "x", -1, "(...)");
  const std::int64_t axis = parse_axis(args[1], "axis", x.rank());
  const FloatArray y = float_output_like(args[3], {&x});
  SoftmaxProblem problem;
  problem.log = args[2] == Py_True;
  problem.threads = parse_threads_for(args[4], x.size());
  problem.cap = parse_max_isa(args[5]);
  for (int i = 0; i < x.rank(); ++i) {
    const std::int64_t size = x.shape(i);
    (i < axis ? problem.outer : i == axis ? problem.length : problem.inner) *= size;
  }
  without_gil(x.size(), [&] { softmax(problem, x.data(), y.mutable_data()); });
  return y.array;
}

FloatArray channel_values(py::handle object, const char* name, std::int64_t channels) {
  FloatArray values = float_input(object, name, 1, "(channels,)");
  if (values.size() != channels)
    throw InvalidArgument(std::string(name) + ": expected shape " + shape_text({channels}) +
                          ", got " + shape_text(values.array));
  return values;
}

// batch_norm(x, mean, var, weight, bias, eps, layout, out, threads, max_isa)
py::object batch_norm(FastArgs args) {
  const FloatArray x = float_input(args[0], "x", -1, "(N, C, ...)");
  if (x.rank() < 2)
    throw InvalidArgument("x: expected shape (N, C, ...), got " + shape_text(x.array));
  const bool channels_last = parse_layout(args[6]) == Layout::nhwc;
  const std::int64_t channels = x.shape(channels_last ? x.rank() - 1 : 1);
  const FloatArray mean = channel_values(args[1], "mean", channels);
  const FloatArray var = channel_values(args[2], "var", channels);
  FloatArray weight = mean, bias = mean;
  if (args[3] != Py_None) weight = channel_values(args[3], "weight", channels);
  if (args[4] != Py_None) bias = channel_values(args[4], "bias", channels);
  const double eps = parse_number(args[5], "eps");
  const FloatArray y = float_output_like(args[7], {&x}, {&mean, &var, &weight, &bias});
  EltwiseProblem problem;
  problem.op = EltwiseOp::affine;
  problem.threads = parse_threads_for(args[8], x.size());
  problem.cap = parse_max_isa(args[9]);
  problem.src = x.data();
  problem.dst = y.mutable_data();
  without_gil(x.size(), [&] {
    if (x.size() == 0) return;
    const FpEnvScope fp_env;
    const FoldedNorm folded =
        fold_batch_norm(mean.data(), var.data(), args[3] == Py_None ? nullptr : weight.data(),
                        args[4] == Py_None ? nullptr : bias.data(), eps, channels);
    const std::int64_t outer = channels_last ? x.size() / channels : x.shape(0);
    eltwise_per_channel(problem, outer, channels, x.size() / outer / channels,
                        folded.scale.data(), folded.shift.data());
  });
  return y.array;
}

// lrn(x, size, alpha, beta, k, layout, out, threads, max_isa)
py::object lrn_call(FastArgs args) {
  const FloatArray x = float_input(args[0], "x", -1, "(N, C, ...)");
  if (x.rank() < 2)
    throw InvalidArgument("x: expected shape (N, C, ...), got " + shape_text(x.array));
  LrnProblem problem;
  problem.size = parse_int(args[1], "size");
  problem.alpha = parse_number(args[2], "alpha");
  problem.beta = parse_number(args[3], "beta");
  problem.k = parse_number(args[4], "k");
  problem.channels_last = parse_layout(args[5]) == Layout::nhwc;
  problem.threads = parse_threads_for(args[7], x.size());
  problem.cap = parse_max_isa(args[8]);
  const int axis = problem.channels_last ? x.rank() - 1 : 1;
  problem.images = x.shape(0);
  problem.channels = x.shape(axis);
  for (int i = 1; i < x.rank(); ++i)
    if (i != axis) problem.pixels *= x.shape(i);
  const std::vector<std::int64_t> shape(x.array.shape(), x.array.shape() + x.rank());
  const FloatArray y = float_output(args[6], shape, {&x});
  without_gil(x.size(), [&] { lrn(problem, x.data(), y.mutable_data()); });
  return y.array;
}

PyMethodDef kLrn = fastcall_def<9, lrn_call>("lrn", "See pyconv.lrn.");
PyMethodDef kSoftmax = fastcall_def<6, softmax_call>("softmax", "See pyconv.softmax.");
PyMethodDef kBatchNorm = fastcall_def<10, batch_norm>("batch_norm", "See pyconv.batch_norm.");

}  // namespace

void register_norm(py::module_& m) {
  add_fastcall(m, kLrn);
  add_fastcall(m, kSoftmax);
  add_fastcall(m, kBatchNorm);
}

}  // namespace pyconv
