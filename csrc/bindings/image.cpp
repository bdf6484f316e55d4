// Concatenation, padding and resizing to Python.
#include <cmath>

#include "bindings/fastcall.h"
#include "ops/concat.h"
#include "ops/pad.h"
#include "ops/resize.h"

namespace pyconv {

namespace {

constexpr std::int64_t kMostElements = std::int64_t{1} << 40;

// Throws where an output of this shape would have more than 2^40 elements. No size is negative.
void check_size(const char* name, std::initializer_list<std::int64_t> shape) {
  double elements = 1.0;
  for (const std::int64_t size : shape) elements *= static_cast<double>(size);
  if (elements > static_cast<double>(kMostElements))
    throw InvalidArgument(std::string(name) + ": expected an output of at most 2^40 elements, got shape " +
                          shape_text(shape));
}

// An image batch of rank 4 as planes of pixels.
struct Images {
  std::int64_t planes, height, width, pixel;
  bool channels_last;

  Images(const FloatArray& x, Layout layout) : channels_last(layout == Layout::nhwc) {
    planes = channels_last ? x.shape(0) : x.shape(0) * x.shape(1);
    height = x.shape(channels_last ? 1 : 2);
    width = x.shape(channels_last ? 2 : 3);
    pixel = channels_last ? x.shape(3) : 1;
  }

  FloatArray output(py::handle out, const char* name, const FloatArray& x, std::int64_t h,
                    std::int64_t w) const {
    if (channels_last) {
      check_size(name, {x.shape(0), h, w, pixel});
      return float_output(out, {x.shape(0), h, w, pixel}, {&x});
    }
    check_size(name, {x.shape(0), x.shape(1), h, w});
    return float_output(out, {x.shape(0), x.shape(1), h, w}, {&x});
  }
};

FloatArray image_input(py::handle object, Layout layout) {
  return float_input(object, "x", 4, layout == Layout::nchw ? "(N, C, H, W)" : "(N, H, W, C)");
}

std::vector<FloatArray> array_list(py::handle object) {
  if (!PyTuple_Check(object.ptr()) && !PyList_Check(object.ptr()))
    throw py::type_error("arrays: expected a list or tuple of arrays, got " +
                         std::string(Py_TYPE(object.ptr())->tp_name));
  std::vector<FloatArray> arrays;
  for (const py::handle& item : py::reinterpret_borrow<py::sequence>(object)) {
    const std::string name = "arrays[" + std::to_string(arrays.size()) + "]";
    arrays.push_back(float_input(item, name.c_str(), -1, "(...)"));
  }
  if (arrays.empty()) throw InvalidArgument("arrays: expected at least one array, got none");
  return arrays;
}

// concat(arrays, axis, out, threads)
py::object concat_call(FastArgs args) {
  const std::vector<FloatArray> arrays = array_list(args[0]);
  const FloatArray& first = arrays.front();
  const int axis = parse_axis(args[1], "axis", first.rank());
  std::vector<std::int64_t> shape(first.array.shape(), first.array.shape() + first.rank());
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < first.rank(); ++i)
    if (i != axis) (i < axis ? outer : inner) *= shape[static_cast<std::size_t>(i)];
  shape[static_cast<std::size_t>(axis)] = 0;
  std::vector<ConcatPart> parts;
  std::vector<const FloatArray*> inputs;
  for (const FloatArray& array : arrays) {
    bool fits = array.rank() == first.rank();
    for (int i = 0; fits && i < first.rank(); ++i)
      fits = i == axis || array.shape(i) == first.shape(i);
    if (!fits)
      throw InvalidArgument("arrays[" + std::to_string(parts.size()) + "]: expected the shape " +
                            shape_text(first.array) + " of the first but for axis " +
                            std::to_string(axis) + ", got " + shape_text(array.array));
    shape[static_cast<std::size_t>(axis)] += array.shape(axis);
    parts.push_back({array.data(), array.shape(axis) * inner});
    inputs.push_back(&array);
  }
  const FloatArray y = float_output(args[2], shape, inputs);
  const int threads = parse_threads_for(args[3], y.size());
  without_gil(y.size(), [&] { concat(parts, outer, y.mutable_data(), threads); });
  return y.array;
}

// An int, (vertical, horizontal) or (top, bottom, left, right).
void parse_sides(py::handle object, PadProblem* p) {
  if (PyTuple_Check(object.ptr()) || PyList_Check(object.ptr())) {
    const py::sequence sides = py::reinterpret_borrow<py::sequence>(object);
    if (sides.size() == 4) {
      std::int64_t* const into[] = {&p->top, &p->bottom, &p->left, &p->right};
      for (int i = 0; i < 4; ++i) *into[i] = parse_int(py::object(sides[i]), "padding");
      return;
    }
    if (sides.size() != 2)
      throw InvalidArgument("padding: expected an int, a pair or (top, bottom, left, right), got " +
                            std::to_string(sides.size()) + " values");
  }
  parse_pair(object, "padding", &p->top, &p->left);
  p->bottom = p->top;
  p->right = p->left;
}

PadMode parse_pad_mode(py::handle object) {
  const std::string name = parse_string(object, "mode");
  if (name == "constant") return PadMode::constant;
  if (name == "reflect") return PadMode::reflect;
  if (name == "replicate" || name == "edge") return PadMode::replicate;
  throw InvalidArgument("mode: expected 'constant', 'reflect', 'replicate' or 'edge', got '" + name +
                        "'");
}

// pad(x, padding, mode, value, layout, out, threads)
py::object pad_call(FastArgs args) {
  const Layout layout = parse_layout(args[4]);
  const FloatArray x = image_input(args[0], layout);
  const Images images(x, layout);
  PadProblem problem;
  problem.planes = images.planes;
  problem.height = images.height;
  problem.width = images.width;
  problem.pixel = images.pixel;
  parse_sides(args[1], &problem);
  problem.mode = parse_pad_mode(args[2]);
  problem.value = static_cast<float>(parse_number(args[3], "value"));
  validate_pad(problem);
  const FloatArray y =
      images.output(args[5], "padding", x, problem.top + problem.height + problem.bottom,
                    problem.left + problem.width + problem.right);
  problem.threads = parse_threads_for(args[6], y.size());
  without_gil(y.size(), [&] { pad(problem, x.data(), y.mutable_data()); });
  return y.array;
}

// A number, or a sequence of two.
void parse_factors(py::handle object, double* h, double* w) {
  if (PyTuple_Check(object.ptr()) || PyList_Check(object.ptr())) {
    const py::sequence pair = py::reinterpret_borrow<py::sequence>(object);
    if (pair.size() != 2)
      throw InvalidArgument("scale_factor: expected a number or a pair of numbers, got " +
                            std::to_string(pair.size()) + " values");
    *h = parse_number(py::object(pair[0]), "scale_factor");
    *w = parse_number(py::object(pair[1]), "scale_factor");
  } else {
    *h = *w = parse_number(object, "scale_factor");
  }
  if (!(*h > 0.0 && *w > 0.0 && std::isfinite(*h) && std::isfinite(*w)))
    throw InvalidArgument("scale_factor: expected numbers above 0, got " +
                          py::repr(object).cast<std::string>());
}

// Sets the axes' outputs from size or scale_factor, of which one is None.
void parse_target(py::handle size, py::handle factor, ResizeProblem* p) {
  if (size.is_none() == factor.is_none())
    throw InvalidArgument("size: expected either size or scale_factor, got " +
                          std::string(size.is_none() ? "neither" : "both"));
  ResizeAxis &h = p->height, &w = p->width;
  if (!size.is_none()) {
    parse_pair(size, "size", &h.out, &w.out);
  } else {
    parse_factors(factor, &h.factor, &w.factor);
    for (ResizeAxis* axis : {&h, &w})
      axis->out = static_cast<std::int64_t>(
          std::min(std::floor(static_cast<double>(axis->size) * axis->factor), 1e15));
  }
  if (h.out < 1 || w.out < 1)
    throw InvalidArgument(std::string(size.is_none() ? "scale_factor" : "size") +
                          ": expected an output of 1 pixel or more, got " +
                          shape_text({h.out, w.out}));
  if (h.size < 1 || w.size < 1)
    throw InvalidArgument("x: expected an image of 1 pixel or more, got " +
                          shape_text({h.size, w.size}));
}

ResizeMode parse_resize_mode(py::handle object) {
  const std::string name = parse_string(object, "mode");
  if (name == "nearest") return ResizeMode::nearest;
  if (name == "bilinear") return ResizeMode::bilinear;
  throw InvalidArgument("mode: expected 'nearest' or 'bilinear', got '" + name + "'");
}

// resize(x, size, scale_factor, mode, align_corners, layout, out, threads, max_isa)
py::object resize_call(FastArgs args) {
  const Layout layout = parse_layout(args[5]);
  const FloatArray x = image_input(args[0], layout);
  const Images images(x, layout);
  ResizeProblem problem;
  problem.planes = images.planes;
  problem.pixel = images.pixel;
  problem.height.size = images.height;
  problem.width.size = images.width;
  parse_target(args[1], args[2], &problem);
  problem.mode = parse_resize_mode(args[3]);
  problem.align_corners = PyObject_IsTrue(args[4]) == 1;
  if (problem.align_corners && problem.mode == ResizeMode::nearest)
    throw InvalidArgument("align_corners: expected False for mode 'nearest', got True");
  const FloatArray y = images.output(args[6], args[1] == Py_None ? "scale_factor" : "size", x,
                                     problem.height.out, problem.width.out);
  problem.threads = parse_threads_for(args[7], y.size());
  problem.cap = parse_max_isa(args[8]);
  without_gil(y.size(), [&] { resize(problem, x.data(), y.mutable_data()); });
  return y.array;
}

PyMethodDef kConcat = fastcall_def<4, concat_call>("concat", "See pyconv.concat.");
PyMethodDef kPad = fastcall_def<7, pad_call>("pad", "See pyconv.pad.");
PyMethodDef kResize = fastcall_def<9, resize_call>("resize", "See pyconv.resize.");

}  // namespace

void register_image(py::module_& m) {
  add_fastcall(m, kConcat);
  add_fastcall(m, kPad);
  add_fastcall(m, kResize);
}

}  // namespace pyconv
