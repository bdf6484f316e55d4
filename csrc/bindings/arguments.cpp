#include "bindings/arguments.h"

#include <algorithm>

#include "base/cpu.h"
#include "base/thread_pool.h"

namespace pyconv {

namespace {

std::string type_name(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

std::string dtype_text(const py::array& array) {
  return py::str(static_cast<py::object>(array.dtype())).cast<std::string>();
}

bool is_native_float32(const py::array& array) {
  const py::dtype dtype = array.dtype();
  return dtype.num() == 11 /* NPY_FLOAT */ && dtype.byteorder() != '>';
}

py::array as_float32_array(py::handle object, const char* name) {
  if (!py::isinstance<py::array>(object))
    throw py::type_error(std::string(name) + ": expected a float32 numpy array, got " +
                         type_name(object));
  py::array array = py::reinterpret_borrow<py::array>(object);
  if (!is_native_float32(array))
    throw py::type_error(std::string(name) + ": expected dtype float32 in native byte order, got " +
                         dtype_text(array));
  return array;
}

bool overlaps(const FloatArray& a, const FloatArray& b) {
  const char* a0 = static_cast<const char*>(a.array.data());
  const char* b0 = static_cast<const char*>(b.array.data());
  return a.size() > 0 && b.size() > 0 && a0 < b0 + b.array.nbytes() && b0 < a0 + a.array.nbytes();
}

bool is_aligned(const py::array& array) {
  return reinterpret_cast<std::uintptr_t>(array.data()) % sizeof(float) == 0;
}

std::string join(const std::int64_t* shape, std::size_t rank) {
  std::string text = "(";
  for (std::size_t i = 0; i < rank; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (rank == 1 ? ",)" : ")");
}

FloatArray checked_output(py::handle out, const std::int64_t* shape, std::size_t rank,
                          const FloatArray* const* inputs, std::size_t input_count) {
  if (out.is_none()) {
    py::array_t<float> fresh(std::vector<py::ssize_t>(shape, shape + rank));
    return {std::move(fresh)};
  }
  py::array array = as_float32_array(out, "out");
  bool alike = static_cast<std::size_t>(array.ndim()) == rank;
  for (std::size_t i = 0; alike && i < rank; ++i)
    alike = array.shape(static_cast<py::ssize_t>(i)) == shape[i];
  if (!alike)
    throw InvalidArgument("out: expected shape " + join(shape, rank) + ", got " +
                          shape_text(array));
  if (!(array.flags() & py::array::c_style))
    throw InvalidArgument("out: expected a C-contiguous array, got one with strides");
  if (reinterpret_cast<std::uintptr_t>(array.data()) % sizeof(float) != 0)
    throw InvalidArgument("out: expected an array aligned to its floats, got a misaligned one");
  if (!array.writeable()) throw InvalidArgument("out: expected a writeable array, got a read-only one");
  if (!is_aligned(array))
    throw InvalidArgument("out: expected an array aligned to 4 bytes, got one that is not");
  FloatArray result{std::move(array)};
  for (std::size_t i = 0; i < input_count; ++i)
    if (overlaps(result, *inputs[i]))
      throw InvalidArgument("out: expected memory of its own, got an array that overlaps an input");
  return result;
}

}  // namespace

std::string shape_text(const py::array& array) {
  std::vector<std::int64_t> shape(array.shape(), array.shape() + array.ndim());
  return join(shape.data(), shape.size());
}

std::string shape_text(std::initializer_list<std::int64_t> shape) {
  return join(shape.begin(), shape.size());
}

FloatArray float_input(py::handle object, const char* name, int rank, const char* form) {
  py::array array = as_float32_array(object, name);
  if (rank >= 0 && array.ndim() != rank)
    throw InvalidArgument(std::string(name) + ": expected shape " + form + ", got " +
                          shape_text(array));
  if (!(array.flags() & py::array::c_style) || !is_aligned(array)) array = array.attr("copy")("C");
  return {std::move(array)};
}

FloatArray float_output(py::handle out, std::initializer_list<std::int64_t> shape,
                        std::initializer_list<const FloatArray*> inputs) {
  return checked_output(out, shape.begin(), shape.size(), inputs.begin(), inputs.size());
}

FloatArray float_output(py::handle out, const std::vector<std::int64_t>& shape,
                        const std::vector<const FloatArray*>& inputs) {
  return checked_output(out, shape.data(), shape.size(), inputs.data(), inputs.size());
}

FloatArray float_output_like(py::handle out, std::initializer_list<const FloatArray*> alike,
                             std::initializer_list<const FloatArray*> other_inputs) {
  const FloatArray& first = **alike.begin();
  const std::vector<std::int64_t> shape(first.array.shape(), first.array.shape() + first.rank());
  FloatArray result =
      checked_output(out, shape.data(), shape.size(), other_inputs.begin(), other_inputs.size());
  for (const FloatArray* input : alike)
    if (result.data() != input->data() && overlaps(result, *input))
      throw InvalidArgument("out: expected the input itself or memory of its own, got an array that "
                            "overlaps an input");
  return result;
}

double parse_number(py::handle object, const char* name) {
  const double value = PyFloat_AsDouble(object.ptr());
  if (value == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    throw py::type_error(std::string(name) + ": expected a number, got " + type_name(object));
  }
  return value;
}

std::int64_t parse_int(py::handle object, const char* name) {
  if (PyBool_Check(object.ptr()) || !PyIndex_Check(object.ptr()))
    throw py::type_error(std::string(name) + ": expected an int, got " + type_name(object));
  const Py_ssize_t value = PyNumber_AsSsize_t(object.ptr(), PyExc_OverflowError);
  if (value == -1 && PyErr_Occurred()) {
    const bool too_large = PyErr_ExceptionMatches(PyExc_OverflowError);
    PyErr_Clear();
    if (!too_large)  // arrays have __index__, and most refuse
      throw py::type_error(std::string(name) + ": expected an int, got " + type_name(object));
    throw InvalidArgument(std::string(name) + ": expected a size of at most 2^40, got " +
                          py::str(object).cast<std::string>());
  }
  return value;
}

int parse_axis(py::handle object, const char* name, int rank) {
  const std::int64_t axis = parse_int(object, name);
  if (axis < -rank || axis >= rank)
    throw InvalidArgument(std::string(name) + ": expected an axis of an array of rank " +
                          std::to_string(rank) + ", got " + std::to_string(axis));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

void parse_pair(py::handle object, const char* name, std::int64_t* h, std::int64_t* w) {
  if (PyIndex_Check(object.ptr())) {
    *h = *w = parse_int(object, name);
    return;
  }
  if (!py::isinstance<py::tuple>(object) && !py::isinstance<py::list>(object))
    throw py::type_error(std::string(name) + ": expected an int or a pair of ints, got " +
                         type_name(object));
  const py::sequence pair = py::reinterpret_borrow<py::sequence>(object);
  if (pair.size() != 2)
    throw InvalidArgument(std::string(name) + ": expected an int or a pair of ints, got " +
                          std::to_string(pair.size()) + " values");
  *h = parse_int(py::object(pair[0]), name);
  *w = parse_int(py::object(pair[1]), name);
}

std::string parse_string(py::handle object, const char* name) {
  if (!py::isinstance<py::str>(object))
    throw py::type_error(std::string(name) + ": expected a str, got " + type_name(object));
  return object.cast<std::string>();
}

Layout parse_layout(py::handle object) {
  const std::string name = parse_string(object, "layout");
  if (name == "nchw") return Layout::nchw;
  if (name == "nhwc") return Layout::nhwc;
  throw InvalidArgument("layout: expected 'nchw' or 'nhwc', got '" + name + "'");
}

Accuracy parse_accuracy(py::handle object) {
  const std::string name = parse_string(object, "accuracy");
  if (name == "fast") return Accuracy::fast;
  if (name == "exact") return Accuracy::exact;
  throw InvalidArgument("accuracy: expected 'fast' or 'exact', got '" + name + "'");
}

Activation parse_activation_argument(py::handle object) {
  Activation activation;
  if (object.is_none()) return activation;
  const std::string name = parse_string(object, "activation");
  if (!parse_activation(name, &activation))
    throw InvalidArgument("activation: expected the name of an activation such as 'relu', got '" +
                          name + "'");
  return activation;
}

int parse_threads(py::handle object) {
  if (object.is_none()) return usable_cpus();
  const std::int64_t threads = parse_int(object, "threads");
  if (threads < 1)
    throw InvalidArgument("threads: expected 1 or more, got " + std::to_string(threads));
  return static_cast<int>(std::min<std::int64_t>(threads, 1024));
}

Isa parse_max_isa(py::handle object) {
  if (object.is_none()) return max_isa();
  const std::string name = parse_string(object, "max_isa");
  Isa isa;
  if (!parse_isa(name, &isa))
    throw InvalidArgument("max_isa: expected 'scalar', 'avx2', 'avx512' or 'neon', got '" + name +
                          "'");
  return isa_allowed(isa, max_isa()) ? isa : max_isa();
}

WorkspacePool& one_shot_workspace() {
  static WorkspacePool* pool = new WorkspacePool(2, std::size_t{64} << 20);
  return *pool;
}

void set_python_error() {
  try {
    throw;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const InvalidArgument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const py::type_error& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError, "not enough memory for the operation");
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

}  // namespace pyconv
