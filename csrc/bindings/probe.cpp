// The machine probe to Python: pyconv.study.machine builds on it.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "base/status.h"
#include "kernels/probe/probe.h"

namespace py = pybind11;

namespace pyconv {
namespace {

Isa isa_of(const std::string& name) {
  Isa isa;
  if (!parse_isa(name, &isa))
    throw InvalidArgument("isa: expected scalar, avx2, avx512 or neon, got " + name);
  return isa;
}

std::vector<double> fma_rates(const std::string& isa, double seconds) {
  const Isa parsed = isa_of(isa);
  py::gil_scoped_release release;
  return probe_fma(parsed, seconds);
}

std::vector<double> bandwidth_rates(const std::string& isa, const std::string& kind,
                                    std::size_t bytes, double seconds) {
  const Isa parsed = isa_of(isa);
  py::gil_scoped_release release;
  return probe_bandwidth(parsed, kind, bytes, seconds);
}

std::vector<double> clock_rates(double seconds) {
  py::gil_scoped_release release;
  return probe_clock(seconds);
}

py::list isa_names() {
  py::list names;
  for (const ProbeKernels* kernels : probe_kernels()) names.append(isa_name(kernels->isa));
  return names;
}

}  // namespace

void register_probe(py::module_& m) {
  m.def("probe_isas", &isa_names, "ISAs that this CPU runs and this build measures, slowest first");
  m.def("probe_fma", &fma_rates, py::arg("isa"), py::arg("seconds"),
        "GFLOP/s of slices of about 1 ms");
  m.def("probe_bandwidth", &bandwidth_rates, py::arg("isa"), py::arg("kind"), py::arg("bytes"),
        py::arg("seconds"), "GB/s of slices of about 1 ms; kind is read, copy or scale");
  m.def("probe_clock", &clock_rates, py::arg("seconds"), "GHz of slices of about 1 ms");
}

}  // namespace pyconv
