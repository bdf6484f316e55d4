#include "net/graph.h"

#include <algorithm>
#include <cstring>

#include "base/status.h"
#include "net/op_def.h"

namespace pyconv {

Integers Constant::integers() const {
  const std::int64_t n = type.shape.elements();
  Integers result(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t& to = result[static_cast<std::size_t>(i)];
    switch (type.dtype) {
      case DType::i64: to = static_cast<const std::int64_t*>(data)[i]; break;
      case DType::i32: to = static_cast<const std::int32_t*>(data)[i]; break;
      case DType::u8: to = static_cast<const std::uint8_t*>(data)[i]; break;
      case DType::i8: to = static_cast<const std::int8_t*>(data)[i]; break;
      default:
        throw InvalidArgument(std::string("constant: expected integers, got ") +
                              dtype_name(type.dtype));
    }
  }
  return result;
}

std::shared_ptr<Constant> make_constant(const TensorType& type) {
  auto buffer = std::make_shared<AlignedBuffer>(std::max<std::size_t>(1, type.bytes()));
  auto constant = std::make_shared<Constant>();
  constant->type = type;
  constant->data = buffer->data();
  constant->keeper = buffer;
  return constant;
}

ConstantPtr constant_of_floats(const Shape& shape, const std::vector<float>& values) {
  std::shared_ptr<Constant> constant = make_constant({DType::f32, shape});
  if (!values.empty())
    std::memcpy(const_cast<void*>(constant->data), values.data(), values.size() * sizeof(float));
  return constant;
}

ValueId Graph::add_value(Value value) {
  values_.push_back(std::move(value));
  readers_.emplace_back();
  output_.push_back(false);
  return static_cast<ValueId>(values_.size()) - 1;
}

void Graph::link(int id) {
  for (const ValueId input : node(id).inputs) {
    if (input == kNoValue) continue;
    std::vector<int>& readers = readers_[static_cast<std::size_t>(input)];
    readers.insert(std::upper_bound(readers.begin(), readers.end(), id), id);
  }
}

void Graph::unlink(int id) {
  for (const ValueId input : node(id).inputs) {
    if (input == kNoValue) continue;
    std::vector<int>& readers = readers_[static_cast<std::size_t>(input)];
    readers.erase(std::lower_bound(readers.begin(), readers.end(), id));
  }
}

ValueId Graph::add_input(const std::string& name, const TensorType& type) {
  need_shape(("input '" + name + "'").c_str(), type.shape);
  if (!input_names_.insert(name).second)
    throw InvalidArgument("input '" + name + "': there is one of this name already");
  inputs_.push_back(add_value({name, type, -1, nullptr}));
  return inputs_.back();
}

ValueId Graph::add_constant(const std::string& name, ConstantPtr constant) {
  need_shape(("constant '" + name + "'").c_str(), constant->type.shape);
  const TensorType type = constant->type;
  return add_value({name, type, -1, std::move(constant)});
}

std::string Graph::unique_node_name(const std::string& wanted, const std::string& op) {
  if (!wanted.empty() && !node_names_.count(wanted)) return wanted;
  const std::string base = (wanted.empty() ? op : wanted) + "_";
  std::size_t& i = next_suffix_[base];
  i = std::max(i, wanted.empty() ? nodes_.size() : std::size_t{2});
  while (node_names_.count(base + std::to_string(i))) ++i;
  return base + std::to_string(i);
}

std::vector<TensorType> Graph::infer(const Node& node) const {
  const OpDef& op = *node.op;
  const NodeArgs args(*this, node);
  const int count = static_cast<int>(node.inputs.size());
  if (count < op.least_inputs || (op.most_inputs >= 0 && count > op.most_inputs))
    args.refuse("expected " + std::to_string(op.least_inputs) +
                (op.most_inputs < 0 ? " or more"
                 : op.most_inputs == op.least_inputs
                     ? std::string()
                     : " to " + std::to_string(op.most_inputs)) +
                " inputs, got " + std::to_string(count));
  for (int i = 0; i < count; ++i) {
    const ValueId id = node.inputs[static_cast<std::size_t>(i)];
    if (id == kNoValue && i >= op.least_inputs && op.most_inputs >= 0) continue;
    if (id < 0 || id >= static_cast<ValueId>(values_.size()))
      args.refuse("input " + std::to_string(i) + ": expected a value of the graph, got " +
                  std::to_string(id));
  }
  std::vector<TensorType> types = op.infer(args);
  for (const TensorType& type : types) need_shape(("node '" + node.name + "'").c_str(), type.shape);
  return types;
}

namespace {

void check_attributes(Node* node) {
  Attributes checked;
  for (const auto& [name, given] : node->attributes) {
    const auto& specs = node->op->attributes;
    const auto spec = std::find_if(specs.begin(), specs.end(), [&, key = name](const auto& s) {
      return key == s.name;
    });
    const std::string where = "node '" + node->name + "' (" + node->op->name + "): ";
    if (spec == specs.end())
      throw InvalidArgument(where + "there is no attribute '" + name + "'");
    Attribute value = given;
    if (!coerce_attribute(spec->kind, &value))
      throw InvalidArgument(where + "attribute '" + name + "': expected " +
                            attribute_kind_name(spec->kind));
    checked.set(name, std::move(value));
  }
  node->attributes = std::move(checked);
}

}  // namespace

std::vector<ValueId> Graph::add_node(const std::string& op, std::vector<ValueId> inputs,
                                     Attributes attributes, const std::string& name) {
  Node node;
  node.op = find_op(op);
  if (!node.op) throw InvalidArgument("op: expected an operator of pyconv, got '" + op + "'");
  node.name = unique_node_name(name, op);
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  check_attributes(&node);
  const std::vector<TensorType> types = infer(node);
  const int id = static_cast<int>(nodes_.size());
  for (std::size_t i = 0; i < types.size(); ++i)
    node.outputs.push_back(
        add_value({types.size() == 1 ? node.name : node.name + ":" + std::to_string(i), types[i],
                   id, nullptr}));
  node_names_.insert(node.name);
  nodes_.push_back(std::move(node));
  link(id);
  return nodes_.back().outputs;
}

void Graph::set_outputs(std::vector<ValueId> values, std::vector<std::string> names) {
  if (values.empty()) throw InvalidArgument("outputs: expected one or more, got none");
  if (values.size() != names.size())
    throw InvalidArgument("outputs: expected a name for each of " + std::to_string(values.size()) +
                          ", got " + std::to_string(names.size()));
  for (const ValueId id : values)
    if (id < 0 || id >= static_cast<ValueId>(values_.size()))
      throw InvalidArgument("outputs: expected values of the graph, got " + std::to_string(id));
  for (const ValueId id : outputs_) output_[static_cast<std::size_t>(id)] = false;
  for (const ValueId id : values) output_[static_cast<std::size_t>(id)] = true;
  outputs_ = std::move(values);
  output_names_ = std::move(names);
}

void Graph::replace_uses(ValueId from, ValueId to) {
  std::vector<int> found = readers(from);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  for (const int id : found) {
    unlink(id);
    std::replace(node(id).inputs.begin(), node(id).inputs.end(), from, to);
    link(id);
  }
  if (!is_output(from)) return;
  std::replace(outputs_.begin(), outputs_.end(), from, to);
  output_[static_cast<std::size_t>(from)] = false;
  output_[static_cast<std::size_t>(to)] = true;
}

std::vector<int> Graph::readers(ValueId id) const {
  std::vector<int> found = readers_[static_cast<std::size_t>(id)];
  const auto dead = [&](int reader) { return nodes_[static_cast<std::size_t>(reader)].dead; };
  found.erase(std::remove_if(found.begin(), found.end(), dead), found.end());
  return found;
}

void Graph::rewrite(int id, const std::string& op, std::vector<ValueId> inputs,
                    Attributes attributes) {
  Node changed = node(id);
  changed.op = find_op(op);
  changed.inputs = std::move(inputs);
  changed.attributes = std::move(attributes);
  check_attributes(&changed);
  const std::vector<TensorType> types = infer(changed);
  for (std::size_t i = 0; i < types.size(); ++i)
    if (types[i].dtype != type(changed.outputs[i]).dtype ||
        types[i].shape != type(changed.outputs[i]).shape)
      throw std::logic_error("a pass changed the type of '" + changed.name + "' from " +
                             type(changed.outputs[i]).text() + " to " + types[i].text());
  unlink(id);
  node(id) = std::move(changed);
  link(id);
}

void Graph::release_constants() {
  for (Value& value : values_) {
    if (!value.constant) continue;
    auto empty = std::make_shared<Constant>();
    empty->type = value.constant->type;
    value.constant = std::move(empty);
  }
}

void Graph::drop_last_node() {
  unlink(static_cast<int>(nodes_.size()) - 1);
  for (const ValueId id : nodes_.back().outputs) values_[static_cast<std::size_t>(id)].producer = -1;
  nodes_.pop_back();
}

void Graph::compact() {
  nodes_.erase(std::remove_if(nodes_.begin(), nodes_.end(), [](const Node& n) { return n.dead; }),
               nodes_.end());
  for (Value& value : values_) value.producer = -1;
  for (std::vector<int>& readers : readers_) readers.clear();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const ValueId id : nodes_[i].outputs)
      values_[static_cast<std::size_t>(id)].producer = static_cast<int>(i);
    link(static_cast<int>(i));
  }
}

}  // namespace pyconv
