// pyconv._core: the engine to Python. Each topic registers itself; no arithmetic here.
#include <pybind11/pybind11.h>

#include "base/status.h"

namespace py = pybind11;

namespace pyconv {
void register_config(py::module_& m);
void register_conv(py::module_& m);
void register_conv_transpose2d(py::module_& m);
void register_layout(py::module_& m);
void register_eltwise(py::module_& m);
void register_linear(py::module_& m);
void register_pool(py::module_& m);
void register_image(py::module_& m);
void register_norm(py::module_& m);
void register_probe(py::module_& m);
void register_strided(py::module_& m);
void register_net(py::module_& m);
}  // namespace pyconv

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  m.doc() = "pyconv's compiled core; use the functions of the pyconv package instead";
  m.attr("__version__") = PYCONV_VERSION;
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const pyconv::InvalidArgument& invalid) {
      PyErr_SetString(PyExc_ValueError, invalid.what());
    }
  });
  pyconv::register_config(m);
  pyconv::register_conv(m);
  pyconv::register_conv_transpose2d(m);
  pyconv::register_layout(m);
  pyconv::register_eltwise(m);
  pyconv::register_linear(m);
  pyconv::register_pool(m);
  pyconv::register_image(m);
  pyconv::register_norm(m);
  pyconv::register_probe(m);
  pyconv::register_strided(m);
  pyconv::register_net(m);
}
