// Python objects to the core's types, with errors that name the argument, what was expected and
// what came. Shared by every file of bindings/.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu.h"
#include "base/status.h"
#include "base/workspace.h"
#include "ops/types.h"

namespace pyconv {

namespace py = pybind11;

// A C-contiguous float32 array; `array` keeps the memory alive. An input in another memory order is
// copied.
struct FloatArray {
  py::array array;
  const float* data() const { return static_cast<const float*>(array.data()); }
  float* mutable_data() const { return static_cast<float*>(const_cast<void*>(array.data())); }
  std::int64_t shape(int axis) const { return array.shape(axis); }
  int rank() const { return static_cast<int>(array.ndim()); }
  std::int64_t size() const { return array.size(); }
};

std::string shape_text(const py::array& array);                       // "(1, 3, 8, 8)"
std::string shape_text(std::initializer_list<std::int64_t> shape);

// TypeError unless `object` is a native float32 ndarray; ValueError unless its rank is `rank`
// (any when rank < 0), spelled `form` in the message.
FloatArray float_input(py::handle object, const char* name, int rank, const char* form);

// A fresh array, or `out` checked: native float32, this shape, C-contiguous, writeable, and sharing
// no memory with `inputs`.
FloatArray float_output(py::handle out, std::initializer_list<std::int64_t> shape,
                        std::initializer_list<const FloatArray*> inputs);
FloatArray float_output(py::handle out, const std::vector<std::int64_t>& shape,
                        const std::vector<const FloatArray*>& inputs);
// Likewise with the shape of alike[0]; `out` may be one of `alike`, inputs of that shape.
FloatArray float_output_like(py::handle out, std::initializer_list<const FloatArray*> alike,
                             std::initializer_list<const FloatArray*> other_inputs = {});

std::int64_t parse_int(py::handle object, const char* name);
// An axis of an array of `rank`, negative ones counted from the end.
int parse_axis(py::handle object, const char* name, int rank);
// Any Python real number.
double parse_number(py::handle object, const char* name);
// An int, or a sequence of two.
void parse_pair(py::handle object, const char* name, std::int64_t* h, std::int64_t* w);
Layout parse_layout(py::handle object);
Accuracy parse_accuracy(py::handle object);
Activation parse_activation_argument(py::handle object);
// None: the CPUs that this process may use.
int parse_threads(py::handle object);
// None: the process's cap.
Isa parse_max_isa(py::handle object);
std::string parse_string(py::handle object, const char* name);

// Scratch for one-shot calls: kept between calls up to 64 MiB each.
WorkspacePool& one_shot_workspace();

// Sets the Python error for the exception in flight (call inside catch (...)).
void set_python_error();

}  // namespace pyconv
