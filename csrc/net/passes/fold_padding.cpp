// Zeros around an image before a convolution become the convolution's own padding.
#include "net/op_def.h"
#include "net/passes/passes.h"

namespace pyconv {

namespace {

// (top, bottom, left, right) of a pad node that puts zeros around images; empty where it does something else.
Integers zeros_around(const Graph& graph, const Node& pad) {
  const NodeArgs args(graph, pad);
  const Integers pads = args.attributes().integers("pads", {});
  if (pads.size() != 8 || args.attributes().text("mode", "constant") != "constant") return {};
  if (args.inputs() > 1 || args.attributes().number("value", 0.0) != 0.0) return {};
  for (const std::int64_t side : pads)
    if (side < 0) return {};
  if (pads[0] || pads[1] || pads[4] || pads[5]) return {};
  return {pads[2], pads[6], pads[3], pads[7]};
}

}  // namespace

void pass_fold_padding(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node conv = graph.nodes()[i];
    if (conv.dead || conv.op != &op_conv) continue;
    const int id = graph.value(conv.inputs[0]).producer;
    if (id < 0 || graph.nodes()[static_cast<std::size_t>(id)].op != &op_pad) continue;
    const Node& pad = graph.nodes()[static_cast<std::size_t>(id)];
    const Integers around = zeros_around(graph, pad);
    if (around.empty()) continue;
    Integers sides = conv.attributes.integers("padding", {0, 0, 0, 0});
    for (std::size_t side = 0; side < 4; ++side) sides[side] += around[side];
    Attributes attributes = conv.attributes;
    attributes.set("padding", sides);
    std::vector<ValueId> inputs = conv.inputs;
    inputs[0] = pad.inputs[0];
    log.add(conv.name + " takes over " + pad.name + " (pad)");
    const bool last = graph.readers(pad.outputs[0]).size() == 1 && !graph.is_output(pad.outputs[0]);
    graph.node(static_cast<int>(i)).absorbed.push_back(pad.name);
    graph.rewrite(static_cast<int>(i), "conv", std::move(inputs), std::move(attributes));
    if (last) graph.kill(id);
  }
}

}  // namespace pyconv
