// x * gate, where gate has one number for each channel, before a pointwise convolution: the convolution scales
// its input itself, a block at a time.
#include "net/op_def.h"
#include "net/ops/conv.h"
#include "net/passes/passes.h"
#include "ops/scaled_pointwise.h"

namespace pyconv {

namespace {

bool takes_scale(const Graph& graph, const Node& conv) {
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

}  // namespace

void pass_fuse_scale(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node conv = graph.nodes()[i];
    if (!takes_scale(graph, conv)) continue;
    const ValueId scaled = conv.inputs[0];
    const int id = graph.value(scaled).producer;
    if (id < 0 || graph.is_output(scaled) || graph.readers(scaled).size() != 1) continue;
    const Node& mul = graph.nodes()[static_cast<std::size_t>(id)];
    if (mul.dead || mul.op != &op_mul || mul.attributes.find("activation")) continue;
    const int side = gate_of(graph, mul);
    if (side < 0) continue;
    std::vector<ValueId> inputs = conv.inputs;
    inputs.resize(4, kNoValue);
    inputs[0] = mul.inputs[static_cast<std::size_t>(1 - side)];
    inputs.push_back(mul.inputs[static_cast<std::size_t>(side)]);
    log.add(conv.name + " takes over " + mul.name + " (mul by '" + graph.value(inputs.back()).name + "')");
    graph.node(static_cast<int>(i)).absorbed.push_back(mul.name);
    graph.kill(id);
    Attributes attributes;
    for (const char* kept : {"activation", "alpha"})
      if (const Attribute* value = conv.attributes.find(kept)) attributes.set(kept, *value);
    graph.rewrite(static_cast<int>(i), "scaled_conv", std::move(inputs), std::move(attributes));
  }
}

}  // namespace pyconv
