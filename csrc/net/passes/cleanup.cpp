// drop_identities and fold_constants.
#include <algorithm>

#include "net/evaluate.h"
#include "net/op_def.h"
#include "net/passes/passes.h"

namespace pyconv {

void pass_drop_identities(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op->layout != LayoutRule::alias) continue;
    const ValueId from = node.outputs[0], to = node.inputs[0];
    if (graph.type(from).shape != graph.type(to).shape) continue;
    log.add(node.name + " (" + node.op->name + ") goes");
    graph.replace_uses(from, to);
    graph.kill(static_cast<int>(i));
  }
}

void drop_unread(Graph& graph, RewriteLog& log) {
  std::vector<bool> used(graph.values().size(), false);
  for (const ValueId id : graph.outputs()) used[static_cast<std::size_t>(id)] = true;
  for (std::size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    if (std::none_of(node.outputs.begin(), node.outputs.end(),
                     [&](ValueId id) { return used[static_cast<std::size_t>(id)]; })) {
      log.add(node.name + " (" + node.op->name + ") is read by nobody");
      graph.kill(static_cast<int>(i));
      continue;
    }
    for (const ValueId id : node.inputs)
      if (id != kNoValue) used[static_cast<std::size_t>(id)] = true;
  }
}

void pass_fold_constants(Graph& graph, RewriteLog& log) {
  drop_unread(graph, log);
  // What is larger is computed in each run, in the arena, where memory_limit sees it.
  std::size_t room = std::size_t{256} << 20;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i].dead) continue;
    const NodeArgs args(graph, graph.nodes()[i]);
    if (!all_inputs_known(args) || output_bytes(args) > room) continue;
    const std::vector<ConstantPtr> results = evaluate(args, room);
    if (args.node().op->layout != LayoutRule::alias) room -= output_bytes(args);
    const Node node = graph.nodes()[i];
    for (std::size_t k = 0; k < results.size(); ++k)
      graph.replace_uses(node.outputs[k],
                         graph.add_constant(graph.value(node.outputs[k]).name, results[k]));
    log.add(node.name + " (" + node.op->name + ") is a constant");
    graph.kill(static_cast<int>(i));
  }
}

}  // namespace pyconv
