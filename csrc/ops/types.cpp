#include "ops/types.h"

#include <iterator>
#include <limits>

namespace pyconv {

namespace {
struct Name {
  ActivationKind kind;
  const char* name;
  float alpha;
};
constexpr Name kNames[] = {
    {ActivationKind::none, "none", 0.0f},
    {ActivationKind::relu, "relu", 0.0f},
    {ActivationKind::relu6, "relu6", 0.0f},
    {ActivationKind::leaky_relu, "leaky_relu", 0.01f},
    {ActivationKind::elu, "elu", 1.0f},
    {ActivationKind::sigmoid, "sigmoid", 0.0f},
    {ActivationKind::hard_sigmoid, "hard_sigmoid", 0.0f},
    {ActivationKind::silu, "silu", 0.0f},
    {ActivationKind::hard_swish, "hard_swish", 0.0f},
    {ActivationKind::tanh, "tanh", 0.0f},
    {ActivationKind::gelu, "gelu", 0.0f},
    {ActivationKind::gelu_tanh, "gelu_tanh", 0.0f},
};

struct DTypeRow {
  const char* name;
  std::size_t size;
};
constexpr DTypeRow kDTypes[] = {  // in the order of DType
    {"float32", 4}, {"int64", 8}, {"int32", 4}, {"uint8", 1}, {"int8", 1}, {"bool", 1},
};
}  // namespace

std::size_t dtype_size(DType dtype) { return kDTypes[static_cast<int>(dtype)].size; }

const char* dtype_name(DType dtype) { return kDTypes[static_cast<int>(dtype)].name; }

bool parse_dtype(const std::string& name, DType* dtype) {
  for (std::size_t i = 0; i < std::size(kDTypes); ++i) {
    if (name != kDTypes[i].name) continue;
    *dtype = static_cast<DType>(i);
    return true;
  }
  return false;
}

float Activation::lo() const {
  return kind == ActivationKind::none ? -std::numeric_limits<float>::infinity() : 0.0f;
}

float Activation::hi() const {
  return kind == ActivationKind::relu6 ? 6.0f : std::numeric_limits<float>::infinity();
}

const char* activation_name(ActivationKind kind) {
  for (const Name& entry : kNames)
    if (entry.kind == kind) return entry.name;
  return "?";
}

bool parse_activation(const std::string& name, Activation* activation) {
  for (const Name& entry : kNames) {
    if (name != entry.name) continue;
    activation->kind = entry.kind;
    activation->alpha = entry.alpha;
    return true;
  }
  return false;
}

}  // namespace pyconv
