// Errors inside the core travel as exceptions of two kinds; bindings and capi translate them.
#pragma once
#include <stdexcept>
#include <string>

namespace pyconv {

// A value or shape that cannot be served: ValueError in Python. The message reads
// "argument: expected X, got Y".
struct InvalidArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace pyconv
