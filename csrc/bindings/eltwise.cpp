// Elementwise operators and kernels to Python.
#include "bindings/fastcall.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/activation.h"
#include "ops/eltwise.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// activate(x, name, alpha, out, threads, max_isa)
py::object activate(FastArgs args) {
  const FloatArray x = float_input(args[0], "x", -1, "(...)");
  Activation activation = parse_activation_argument(args[1]);
  if (activation.kind == ActivationKind::none)
    throw InvalidArgument("activation: expected the name of an activation such as 'relu', got 'none'");
  const bool leaky = activation.kind == ActivationKind::leaky_relu;
  activation.alpha =
      static_cast<float>(parse_number(args[2], leaky ? "negative_slope" : "alpha"));
  const FloatArray y = float_output_like(args[3], {&x});
  EltwiseProblem problem;
  problem.op = activation_op(activation);
  problem.threads = parse_threads_for(args[4], x.size());
  problem.cap = parse_max_isa(args[5]);
  problem.src = x.data();
  problem.dst = y.mutable_data();
  without_gil(x.size(), [&] { eltwise_uniform(problem, x.size(), &activation.alpha); });
  return y.array;
}

// prelu(x, weight, layout, out, threads, max_isa)
py::object prelu(FastArgs args) {
  const FloatArray x = float_input(args[0], "x", -1, "(...)");
  const FloatArray weight = float_input(args[1], "weight", 1, "(channels,) or (1,)");
  const Layout layout = parse_layout(args[2]);
  const int axis = x.rank() < 2 ? -1 : layout == Layout::nchw ? 1 : x.rank() - 1;
  const std::int64_t channels = axis < 0 ? 1 : x.shape(axis);
  if (weight.size() != 1 && weight.size() != channels)
    throw InvalidArgument("weight: expected shape " + shape_text({channels}) + " or (1,), got " +
                          shape_text(weight.array));
  const FloatArray y = float_output_like(args[3], {&x}, {&weight});
  EltwiseProblem problem;
  problem.op = EltwiseOp::leaky_relu;
  problem.threads = parse_threads_for(args[4], x.size());
  problem.cap = parse_max_isa(args[5]);
  problem.src = x.data();
  problem.dst = y.mutable_data();
  without_gil(x.size(), [&] {
    if (weight.size() == 1) return eltwise_uniform(problem, x.size(), weight.data());
    if (x.size() == 0) return;
    std::int64_t outer = 1;
    for (int i = 0; i < axis; ++i) outer *= x.shape(i);
    eltwise_per_channel(problem, outer, channels, x.size() / outer / channels, weight.data());
  });
  return y.array;
}

// Axes of `x`, with those along which `b` (aligned at the last axis) varies; throws where b's shape
// does not broadcast to x's.
std::vector<BroadcastAxis> broadcast_axes(const FloatArray& x, const FloatArray& b) {
  const int lead = x.rank() - b.rank();
  std::vector<BroadcastAxis> axes;
  for (int i = 0; i < x.rank(); ++i) {
    const std::int64_t size = x.shape(i), other = i < lead ? 1 : b.shape(i - lead);
    if (other != size && other != 1)
      throw InvalidArgument("b: expected a shape that broadcasts to that of a, or the reverse, got " +
                            shape_text(b.array) + " beside " + shape_text(x.array));
    axes.push_back({size, other == size});
  }
  return axes;
}

bool fits_in(const FloatArray& small, const FloatArray& large) {
  if (small.rank() > large.rank()) return false;
  for (int i = 1; i <= small.rank(); ++i) {
    const std::int64_t size = small.shape(small.rank() - i);
    if (size != 1 && size != large.shape(large.rank() - i)) return false;
  }
  return true;
}

// a op number
py::object with_number(EltwiseProblem problem, const FloatArray& a, float number, py::handle out,
                       py::handle threads) {
  const FloatArray y = float_output_like(out, {&a});
  problem.threads = parse_threads_for(threads, a.size());
  problem.src = a.data();
  problem.dst = y.mutable_data();
  without_gil(a.size(), [&] { eltwise_uniform(problem, a.size(), &number); });
  return y.array;
}

// (a, b, out, threads, max_isa); b an array or a number. Commutative, so the larger comes first.
template <EltwiseOp kOp>
py::object binary(FastArgs args) {
  EltwiseProblem problem;
  problem.op = kOp;
  problem.cap = parse_max_isa(args[4]);
  FloatArray a = float_input(args[0], "a", -1, "(...)");
  if (PyFloat_Check(args[1]) || PyLong_Check(args[1]))
    return with_number(problem, a, static_cast<float>(parse_number(args[1], "b")), args[2], args[3]);
  FloatArray b = float_input(args[1], "b", -1, "(...)");
  if (!fits_in(b, a) && fits_in(a, b)) std::swap(a, b);
  std::vector<BroadcastAxis> axes = broadcast_axes(a, b);
  const bool same = a.rank() == b.rank() && a.size() == b.size();
  const FloatArray y = same ? float_output_like(args[2], {&a, &b}) : float_output_like(args[2], {&a}, {&b});
  problem.threads = parse_threads_for(args[3], a.size());
  problem.src = a.data();
  problem.dst = y.mutable_data();
  without_gil(a.size(), [&] {
    if (same) return eltwise_per_element(problem, a.size(), b.data());
    eltwise_broadcast(problem, axes, b.data());
  });
  return y.array;
}

// eltwise_kernel(row, src, p, q, out): one registry row by name on arrays of the same size; p and q
// are arrays of that size, or of one float: uniform.
py::object eltwise_kernel(FastArgs args) {
  const std::string name = parse_string(args[0], "row");
  const FloatArray src = float_input(args[1], "src", -1, "(...)");
  const FloatArray p = float_input(args[2], "p", -1, "(...)");
  const FloatArray q = float_input(args[3], "q", -1, "(...)");
  const FloatArray dst = float_output_like(args[4], {&src});
  for (const EltwiseKernel& row : eltwise_kernels()) {
    if (name != row.info.name || !isa_allowed(row.info.isa, max_isa())) continue;
    const bool uniform = p.size() == 1 && q.size() == 1;
    if (!uniform && (!row.fns->per_element || p.size() != src.size() || q.size() != src.size()))
      throw InvalidArgument("p: expected one float, or as many as src where the row has parameters");
    const FpEnvScope fp_env;
    EltwiseArgs call;
    call.src = src.data();
    call.dst = dst.mutable_data();
    call.n = src.size();
    call.p = p.data();
    call.q = q.data();
    (uniform ? row.fns->uniform : row.fns->per_element)(call);
    return dst.array;
  }
  throw InvalidArgument("row: expected an available kernel of family eltwise, got '" + name + "'");
}

PyMethodDef kActivate = fastcall_def<6, activate>("activate", "See pyconv.relu and its like.");
PyMethodDef kKernel = fastcall_def<5, eltwise_kernel>("eltwise_kernel", "One registry row.");
PyMethodDef kAdd = fastcall_def<5, binary<EltwiseOp::add>>("add", "See pyconv.add.");
PyMethodDef kMul = fastcall_def<5, binary<EltwiseOp::mul>>("mul", "See pyconv.mul.");
PyMethodDef kPrelu = fastcall_def<6, prelu>("prelu", "See pyconv.prelu.");

}  // namespace

void register_eltwise(py::module_& m) {
  add_fastcall(m, kActivate);
  add_fastcall(m, kAdd);
  add_fastcall(m, kMul);
  add_fastcall(m, kPrelu);
  add_fastcall(m, kKernel);
}

}  // namespace pyconv
