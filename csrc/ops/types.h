// Words shared by all operators.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace pyconv {

// boolean is one byte, 0 or 1.
enum class DType : std::uint8_t { f32, i64, i32, u8, i8, boolean };
enum class Layout : std::uint8_t { nchw, nhwc };
// exact: the bitwise contract (ARCHITECTURE, decision 4). fast: also transforms and split sums.
enum class Accuracy : std::uint8_t { fast, exact };

// Pointwise functions that can follow an operator. alpha: slope of leaky_relu, scale of elu.
enum class ActivationKind : std::uint8_t {
  none, relu, relu6, leaky_relu, elu, sigmoid, hard_sigmoid, silu, hard_swish, tanh, gelu, gelu_tanh
};

struct Activation {
  ActivationKind kind = ActivationKind::none;
  float alpha = 0.0f;
  bool approximate = false;  // by the eltwise rows named fast, where there is one

  // none, relu and relu6 are clamps, which kernels apply as they store.
  bool is_clamp() const {
    return kind == ActivationKind::none || kind == ActivationKind::relu ||
           kind == ActivationKind::relu6;
  }
  float lo() const;  // the clamp's bounds, infinite where there are none
  float hi() const;
};

std::size_t dtype_size(DType dtype);      // bytes of one element
const char* dtype_name(DType dtype);      // numpy's: "float32", "int64", ..., "bool"
// False when `name` is none of dtype_name's.
bool parse_dtype(const std::string& name, DType* dtype);

const char* activation_name(ActivationKind kind);
// False when `name` is no activation. Sets the usual alpha (leaky_relu 0.01, elu 1).
bool parse_activation(const std::string& name, Activation* activation);

}  // namespace pyconv
