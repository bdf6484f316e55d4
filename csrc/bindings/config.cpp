// What this build and this CPU offer.
#include "base/cpu.h"
#include "base/thread_pool.h"
#include "bindings/arguments.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/direct/direct.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/grouped/grouped.h"
#include "kernels/linear/linear.h"
#include "kernels/lrn/lrn.h"
#include "kernels/planar/planar.h"
#include "kernels/pool/pool.h"
#include "kernels/reference/reference.h"
#include "kernels/resize/resize.h"
#include "kernels/softmax/softmax.h"
#include "kernels/transpose/transpose.h"
#include "kernels/winograd/winograd.h"

namespace pyconv {

namespace {

void append(py::list& list, const std::vector<const KernelInfo*>& registry) {
  for (const KernelInfo* info : registry) {
    py::dict row;
    row["name"] = info->name;
    row["family"] = info->family;
    row["isa"] = isa_name(info->isa);
    row["tile"] = py::make_tuple(info->tile_rows, info->tile_cols);
    row["efficiency"] = info->efficiency;
    row["available"] = isa_allowed(info->isa, max_isa());
    list.append(row);
  }
}

py::list kernels() {
  py::list list;
  append(list, gemm_registry());
  append(list, direct_registry());
  append(list, depthwise_registry());
  append(list, grouped_registry());
  append(list, planar_registry());
  append(list, registry_of(winograd_kernels()));
  append(list, registry_of(linear_kernels()));
  append(list, registry_of(pool_kernels()));
  append(list, registry_of(reference_kernels()));
  append(list, registry_of(transpose_kernels()));
  append(list, registry_of(eltwise_kernels()));
  append(list, registry_of(softmax_kernels()));
  append(list, registry_of(lrn_kernels()));
  append(list, registry_of(lerp_kernels()));
  return list;
}

py::dict cpu_info() {
  const CpuInfo& info = cpu();
  py::dict d;
  d["vendor"] = info.vendor;
  d["brand"] = info.brand;
  d["family"] = info.family;
  d["model"] = info.model;
  d["stepping"] = info.stepping;
  d["l1d_bytes"] = info.l1d_bytes;
  d["l2_bytes"] = info.l2_bytes;
  d["l3_bytes"] = info.l3_bytes;
  d["simd_bits"] = info.simd_bits;
  d["best_isa"] = isa_name(info.best);
  d["has_fma"] = info.has_fma;
  return d;
}

py::dict config() {
  py::dict d;
  std::string error;
  d["version"] = PYCONV_VERSION;
  d["compiler"] = __VERSION__;
  d["cpu"] = cpu_info();
  d["max_isa"] = isa_name(max_isa(&error));
  d["max_isa_error"] = error;
  d["usable_cpus"] = usable_cpus();
  return d;
}

}  // namespace

void register_config(py::module_& m) {
  m.def("kernels", &kernels, "Registry rows as dicts");
  m.def("cpu_info", &cpu_info, "The CPU as pyconv sees it");
  m.def("config", &config, "Version, compiler, CPU, ISA cap, usable CPUs");
}

}  // namespace pyconv
