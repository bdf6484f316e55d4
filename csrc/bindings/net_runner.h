// Calls of a Model on arrays that are just as it wants them, without pybind11's dispatcher: a small
// network takes little longer than that.
#pragma once
#include <memory>

#include "bindings/arguments.h"
#include "net/model.h"

namespace pyconv {

// A function (inputs: tuple, out: array or None) -> an array, or a tuple of them. It returns NotImplemented,
// and has done nothing, where an array is not of the very dtype and shape, aligned and C-contiguous, or `out`
// not writeable or overlapping; Model.run then says what is wrong, or converts.
py::object make_runner(std::shared_ptr<const Model> model);

}  // namespace pyconv
