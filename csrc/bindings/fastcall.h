// Module functions of positional arguments without pybind11's dispatcher, which costs some 0.5 us a
// call: the functions of pyconv.ops pass what they were given in a fixed order.
#pragma once
#include "bindings/arguments.h"

namespace pyconv {

// The arguments, borrowed, as many as the function was registered with.
using FastArgs = PyObject* const*;

template <int kCount, py::object (*Body)(FastArgs)>
PyObject* fastcall(PyObject*, PyObject* const* args, Py_ssize_t count) {
  try {
    if (count != kCount)
      throw py::type_error("expected " + std::to_string(kCount) + " arguments, got " +
                           std::to_string(count));
    return Body(args).release().ptr();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

// Adds `name` to the module; `def` must outlive it (static storage).
inline void add_fastcall(py::module_& m, PyMethodDef& def) {
  PyObject* function = PyCFunction_NewEx(&def, nullptr, nullptr);
  if (!function) throw py::error_already_set();
  m.add_object(def.ml_name, function);
}

// The static definition that add_fastcall takes.
template <int kCount, py::object (*Body)(FastArgs)>
PyMethodDef fastcall_def(const char* name, const char* doc) {
  return {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&fastcall<kCount, Body>)),
          METH_FASTCALL, doc};
}

// threads=None for arrays too small for two threads costs no system call.
inline int parse_threads_for(py::handle object, std::int64_t floats) {
  return object.is_none() && floats < (1 << 16) ? 1 : parse_threads(object);
}

// Runs `work` without the GIL where `floats` elements are worth letting it go.
template <class Work>
void without_gil(std::int64_t floats, const Work& work) {
  if (floats < 16384) {
    work();
    return;
  }
  py::gil_scoped_release release;
  work();
}

}  // namespace pyconv
