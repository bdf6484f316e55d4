#include "bindings/net_runner.h"

#include <cstring>

namespace pyconv {

namespace {

constexpr std::size_t kMost = 16;  // inputs, and outputs; networks with more go the long way
constexpr const char* kCapsule = "pyconv.runner";

struct ArraySpec {
  py::dtype dtype;
  int rank;
  Py_intptr_t shape[kMaxRank];
  std::size_t bytes;

  explicit ArraySpec(const TensorType& type)
      : dtype(dtype_name(type.dtype)), rank(type.shape.rank), bytes(type.bytes()) {
    for (int i = 0; i < rank; ++i) shape[i] = static_cast<Py_intptr_t>(type.shape[i]);
  }

  bool takes(PyObject* object, int flags) const {
    if (!py::detail::npy_api::get().PyArray_Check_(object)) return false;
    const auto* array = py::detail::array_proxy(object);
    if (array->descr != dtype.ptr() || array->nd != rank || (array->flags & flags) != flags)
      return false;
    for (int i = 0; i < rank; ++i)
      if (array->dimensions[i] != shape[i]) return false;
    return true;
  }

  py::object fresh() const {
    const auto& api = py::detail::npy_api::get();
    PyObject* array = api.PyArray_NewFromDescr_(api.PyArray_Type_, py::object(dtype).release().ptr(),
                                                rank, shape, nullptr, nullptr, 0, nullptr);
    if (!array) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(array);
  }
};

char* data_of(PyObject* array) { return py::detail::array_proxy(array)->data; }

// Without the GIL for as long as it lives.
class Released {
 public:
  Released() : state_(PyEval_SaveThread()) {}
  ~Released() { PyEval_RestoreThread(state_); }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* state_;
};

class Runner {
 public:
  explicit Runner(std::shared_ptr<const Model> model) : model_(std::move(model)) {
    const Graph& graph = model_->graph();
    for (const ValueId id : graph.inputs()) inputs_.emplace_back(graph.type(id));
    for (const ValueId id : graph.outputs()) outputs_.emplace_back(graph.type(id));
  }

  // Null where the long way has to be gone.
  py::object call(PyObject* arrays, PyObject* out) const {
    using Api = py::detail::npy_api;
    constexpr int kDense = Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_ALIGNED_;
    if (inputs_.size() > kMost || outputs_.size() > kMost || !PyTuple_CheckExact(arrays) ||
        PyTuple_GET_SIZE(arrays) != static_cast<Py_ssize_t>(inputs_.size()))
      return {};
    const void* from[kMost];
    void* to[kMost];
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      PyObject* array = PyTuple_GET_ITEM(arrays, static_cast<Py_ssize_t>(i));
      if (!inputs_[i].takes(array, kDense)) return {};
      from[i] = data_of(array);
    }
    const bool one = outputs_.size() == 1;
    py::object results;
    if (out != Py_None) {
      if (!one || !outputs_[0].takes(out, kDense | Api::NPY_ARRAY_WRITEABLE_)) return {};
      to[0] = data_of(out);
      if (overlaps_an_input(static_cast<const char*>(to[0]), from)) return {};
      results = py::reinterpret_borrow<py::object>(out);
    } else {
      results = fresh(to);
    }
    const Released released;
    model_->run(from, to);
    return results;
  }

 private:
  py::object fresh(void** to) const {
    if (outputs_.size() == 1) {
      py::object array = outputs_[0].fresh();
      to[0] = data_of(array.ptr());
      return array;
    }
    py::tuple results(outputs_.size());
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      py::object array = outputs_[i].fresh();
      to[i] = data_of(array.ptr());
      results[i] = std::move(array);
    }
    return py::object(std::move(results));
  }

  bool overlaps_an_input(const char* to, const void* const* from) const {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const char* start = static_cast<const char*>(from[i]);
      if (to < start + inputs_[i].bytes && start < to + outputs_[0].bytes) return true;
    }
    return false;
  }

  std::shared_ptr<const Model> model_;
  std::vector<ArraySpec> inputs_, outputs_;
};

PyObject* run_fast(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  try {
    if (count != 2) throw py::type_error("expected 2 arguments, got " + std::to_string(count));
    const auto* runner = static_cast<const Runner*>(PyCapsule_GetPointer(self, kCapsule));
    if (!runner) return nullptr;
    py::object results = runner->call(args[0], args[1]);
    if (results) return results.release().ptr();
    Py_INCREF(Py_NotImplemented);
    return Py_NotImplemented;
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

PyMethodDef run_definition = {
    "run", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&run_fast)), METH_FASTCALL,
    "Runs the model on arrays just as it wants them."};

}  // namespace

py::object make_runner(std::shared_ptr<const Model> model) {
  auto runner = std::make_unique<Runner>(std::move(model));
  const py::capsule capsule(runner.get(), kCapsule, [](PyObject* self) {
    delete static_cast<Runner*>(PyCapsule_GetPointer(self, kCapsule));
  });
  static_cast<void>(runner.release());
  PyObject* function = PyCFunction_NewEx(&run_definition, capsule.ptr(), nullptr);
  if (!function) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(function);
}

}  // namespace pyconv
