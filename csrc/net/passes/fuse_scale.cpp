// x * gate, where gate has one number for each channel, before a pointwise convolution: the convolution scales
// its input itself, a block at a time. Likewise a batch norm, with a relu or without, that no weights before it
// could take.
#include "net/op_def.h"
#include "net/ops/conv.h"
#include "net/passes/passes.h"
#include "ops/scaled_pointwise.h"

namespace pyconv {

namespace {

// Whether it may prepare its own input, and gains by it.
bool prepares(const Graph& graph, const Node& conv) {
  if (conv.dead || conv.op != &op_conv || !conv.algorithm.empty()) return false;
  const Conv2dProblem p = conv_problem(NodeArgs(graph, conv));
  return p.taps() == 1 && p.g == 1 && p.sh == 1 && p.sw == 1 && !p.padded() &&
         scaling_pays(p.ih * p.iw, p.ic);
}

// Which input of `mul` is one number for each channel of the other; -1 where none is.
int gate_of(const Graph& graph, const Node& mul) {
  const Shape& out = graph.type(mul.outputs[0]).shape;
  for (const int side : {0, 1}) {
    const ValueId gate = mul.inputs[static_cast<std::size_t>(side)];
    const ValueId image = mul.inputs[static_cast<std::size_t>(1 - side)];
    if (graph.type(gate).shape == Shape{out[0], out[1], 1, 1} && graph.type(image).shape == out) return side;
  }
  return -1;
}

// The node of operator `op` that makes `value` for one reader alone.
const Node* only_maker(const Graph& graph, ValueId value, const OpDef& op) {
  const int id = sole_producer(graph, value);
  if (id < 0) return nullptr;
  const Node& node = graph.nodes()[static_cast<std::size_t>(id)];
  return node.op == &op ? &node : nullptr;
}

// conv becomes an operator that does the work of `before` too.
void take_over(Graph& graph, std::size_t conv, const Node& before, const char* op, std::vector<ValueId> inputs,
               Attributes attributes) {
  const int id = graph.value(before.outputs[0]).producer;
  for (const char* kept : {"activation", "alpha"})
    if (const Attribute* value = graph.nodes()[conv].attributes.find(kept)) attributes.set(kept, *value);
  graph.node(static_cast<int>(conv)).absorbed.push_back(before.name);
  graph.kill(id);
  graph.rewrite(static_cast<int>(conv), op, std::move(inputs), std::move(attributes));
}

}  // namespace

void pass_fuse_scale(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node conv = graph.nodes()[i];
    if (!prepares(graph, conv)) continue;
    const Node* mul = only_maker(graph, conv.inputs[0], op_mul);
    if (!mul || mul->attributes.find("activation")) continue;
    const int side = gate_of(graph, *mul);
    if (side < 0) continue;
    std::vector<ValueId> inputs = conv.inputs;
    inputs.resize(4, kNoValue);
    inputs[0] = mul->inputs[static_cast<std::size_t>(1 - side)];
    inputs.push_back(mul->inputs[static_cast<std::size_t>(side)]);
    log.add(conv.name + " takes over " + mul->name + " (mul by '" + graph.value(inputs.back()).name + "')");
    take_over(graph, i, *mul, "scaled_conv", std::move(inputs), {});
  }
}

void pass_fuse_norm(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node conv = graph.nodes()[i];
    if (!prepares(graph, conv)) continue;
    const Node* norm = only_maker(graph, conv.inputs[0], op_batch_norm);
    if (!norm) continue;
    const std::string activation = norm->attributes.text("activation", "");
    if (activation != "" && activation != "relu") continue;
    std::vector<ValueId> inputs = conv.inputs;
    inputs.resize(4, kNoValue);
    inputs[0] = norm->inputs[0];
    inputs.insert(inputs.end(), norm->inputs.begin() + 1, norm->inputs.end());
    Attributes attributes;
    if (const Attribute* eps = norm->attributes.find("eps")) attributes.set("eps", *eps);
    if (activation == "relu") attributes.set("rectified", std::int64_t{1});
    log.add(conv.name + " takes over " + norm->name + " (batch_norm)");
    take_over(graph, i, *norm, "normed_conv", std::move(inputs), std::move(attributes));
  }
}

}  // namespace pyconv
