// Graph: what a network computes. Values and the nodes between them, with the shape and type of
// everything known as soon as it is added; nothing of layouts, memory or algorithms.
//
// A node's inputs exist before it does, so the nodes stand in an order in which they can run. Images
// are (N, C, H, W) here, however the planner lays them out.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/aligned_buffer.h"
#include "net/attributes.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

struct OpDef;

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  std::size_t bytes() const {
    return static_cast<std::size_t>(shape.elements()) * dtype_size(dtype);
  }
  std::string text() const { return std::string(dtype_name(dtype)) + shape.text(); }
};

// Dense, row-major, immutable; `keeper` holds what owns the memory.
struct Constant {
  TensorType type;
  const void* data = nullptr;
  std::shared_ptr<const void> keeper;
  bool mapped = false;  // in a file, so that pages may be let go (base/mapped_file.h)

  bool released() const { return !data && type.shape.elements() > 0; }
  const float* floats() const { return static_cast<const float*>(data); }
  // All elements as integers; throws InvalidArgument when the dtype is no integer.
  Integers integers() const;
};
using ConstantPtr = std::shared_ptr<const Constant>;

// An uninitialised buffer of the type, to be filled before it is shared.
std::shared_ptr<Constant> make_constant(const TensorType& type);
ConstantPtr constant_of_floats(const Shape& shape, const std::vector<float>& values);

using ValueId = int;
constexpr ValueId kNoValue = -1;  // an optional input that is absent

struct Value {
  std::string name;
  TensorType type;
  int producer = -1;     // node, or -1: an input or a constant
  ConstantPtr constant;  // set for constants
};

struct Node {
  const OpDef* op = nullptr;
  std::string name;
  std::vector<ValueId> inputs, outputs;
  Attributes attributes;
  std::string algorithm;  // forced for this convolution; empty: the planner's choice
  std::vector<std::string> absorbed;  // names of the nodes that passes fused into this one
  bool dead = false;
};

class Graph {
 public:
  ValueId add_input(const std::string& name, const TensorType& type);
  ValueId add_constant(const std::string& name, ConstantPtr constant);

  // Appends a node of operator `op`; returns its outputs, whose types are inferred. Throws
  // InvalidArgument naming node and operator, and then leaves the graph as it was.
  std::vector<ValueId> add_node(const std::string& op, std::vector<ValueId> inputs,
                                Attributes attributes, const std::string& name = {});

  // The values that a run returns, in this order, by these names.
  void set_outputs(std::vector<ValueId> values, std::vector<std::string> names);

  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Value& value(ValueId id) const { return values_[static_cast<std::size_t>(id)]; }
  const TensorType& type(ValueId id) const { return value(id).type; }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  const std::vector<ValueId>& outputs() const { return outputs_; }
  const std::vector<std::string>& output_names() const { return output_names_; }

  void rename(ValueId id, const std::string& name) { values_[static_cast<std::size_t>(id)].name = name; }

  // For passes.
  Node& node(int id) { return nodes_[static_cast<std::size_t>(id)]; }
  // Every use of `from`, as an input or an output of the graph, becomes one of `to`.
  void replace_uses(ValueId from, ValueId to);
  // Nodes that read the value, each once per reading input; the graph's outputs are not among them.
  std::vector<int> readers(ValueId id) const;
  bool is_output(ValueId id) const { return output_[static_cast<std::size_t>(id)]; }
  // Computes nothing anew: node `id` becomes operator `op` with these inputs, keeping its outputs.
  void rewrite(int id, const std::string& op, std::vector<ValueId> inputs, Attributes attributes);
  void kill(int id) { node(id).dead = true; }
  // The node that was added last, whose outputs nothing reads.
  void drop_last_node();
  // Drops the data of all constants, keeping their types; whoever else holds one keeps it.
  void release_constants();
  // Drops dead nodes and renumbers; values keep their ids.
  void compact();
  // Checks and infers as add_node does; for nodes built by hand.
  std::vector<TensorType> infer(const Node& node) const;

 private:
  ValueId add_value(Value value);
  void link(int id);  // node `id` joins the readers of its inputs, and leaves them
  void unlink(int id);
  std::string unique_node_name(const std::string& wanted, const std::string& op);

  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<std::vector<int>> readers_;  // of each value, dead ones among them, rising
  std::vector<bool> output_;               // of each value
  std::vector<ValueId> inputs_, outputs_;
  std::vector<std::string> output_names_;
  std::unordered_set<std::string> node_names_, input_names_;
  std::unordered_map<std::string, std::size_t> next_suffix_;  // by the name before it
};

}  // namespace pyconv
