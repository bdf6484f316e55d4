// fuse_residual and fuse_activation: what follows a convolution is done while its results are in
// registers. The fused operation rounds where the separate ones would, so the bits stay the same.
#include <algorithm>
#include <cstring>

#include "net/op_def.h"
#include "net/passes/passes.h"
#include "ops/types.h"

namespace pyconv {

namespace {

// Node `id` becomes a copy of `layer` with other inputs and attributes, under layer's name.
void take_over(Graph& graph, int id, int layer_id, std::vector<ValueId> inputs,
               Attributes attributes) {
  const Node layer = graph.nodes()[static_cast<std::size_t>(layer_id)];
  Node& target = graph.node(id);
  std::vector<std::string> absorbed = layer.absorbed;
  absorbed.push_back(target.name);
  target.absorbed = std::move(absorbed);
  target.name = layer.name;
  target.algorithm = layer.algorithm;
  graph.rewrite(id, layer.op->name, std::move(inputs), std::move(attributes));
  graph.kill(layer_id);
}

// The conv before operand `side` of an addition that can take the other operand as its residual.
int conv_before(const Graph& graph, const Node& add, std::size_t side) {
  if (add.inputs[0] == add.inputs[1]) return -1;
  if (graph.type(add.inputs[0]).shape != graph.type(add.inputs[1]).shape) return -1;
  const int id = sole_producer(graph, add.inputs[side]);
  if (id < 0) return -1;
  const Node& conv = graph.nodes()[static_cast<std::size_t>(id)];
  if (conv.op != &op_conv || conv.inputs.size() > 3 || conv.attributes.find("activation"))
    return -1;
  return id;
}

}  // namespace

void pass_fuse_residual(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& add = graph.nodes()[i];
    if (add.dead || add.op != &op_add || add.attributes.find("activation")) continue;
    const int left = conv_before(graph, add, 0), right = conv_before(graph, add, 1);
    const int conv = std::max(left, right);  // the later one: its result is the fresher
    if (conv < 0) continue;
    const Node& layer = graph.nodes()[static_cast<std::size_t>(conv)];
    const ValueId residual = add.inputs[conv == left ? 1 : 0];
    std::vector<ValueId> inputs = layer.inputs;
    inputs.resize(3, kNoValue);
    inputs.push_back(residual);
    log.add(layer.name + " takes over " + add.name + " (add of '" + graph.value(residual).name +
            "')");
    take_over(graph, static_cast<int>(i), conv, std::move(inputs), layer.attributes);
  }
}

void pass_fuse_activation(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    Activation activation;
    if (node.dead || node.inputs.size() != 1 || !parse_activation(node.op->name, &activation))
      continue;
    const int before = sole_producer(graph, node.inputs[0]);
    if (before < 0) continue;
    const Node& layer = graph.nodes()[static_cast<std::size_t>(before)];
    const auto& specs = layer.op->attributes;
    const bool takes = std::any_of(specs.begin(), specs.end(), [](const AttributeSpec& spec) {
      return std::strcmp(spec.name, "activation") == 0;
    });
    if (!takes || layer.attributes.find("activation")) continue;
    Attributes attributes = layer.attributes;
    attributes.set("activation", std::string(node.op->name));
    if (const Attribute* alpha = node.attributes.find("alpha")) attributes.set("alpha", *alpha);
    log.add(layer.name + " takes over " + node.name + " (" + node.op->name + ")");
    const std::vector<ValueId> inputs = layer.inputs;
    take_over(graph, static_cast<int>(i), before, inputs, std::move(attributes));
  }
}

}  // namespace pyconv
