// Errors inside the core travel as exceptions of two kinds; bindings and capi translate them.
#pragma once
#include <stdexcept>
#include <string>

namespace pyconv {

// A value or shape that cannot be served: ValueError in Python. The message reads
// "argument: expected X, got Y".
struct InvalidArgument : std::runtime_error {
  explicit InvalidArgument(const std::string& text) : std::runtime_error(without_nul(text)) {}

 private:
  // what() would end there, and names come from files.
  static std::string without_nul(std::string text) {
    for (std::size_t at = 0; (at = text.find('\0', at)) != std::string::npos;) text.replace(at, 1, "\\0");
    return text;
  }
};

}  // namespace pyconv
