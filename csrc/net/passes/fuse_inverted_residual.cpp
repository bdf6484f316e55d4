// A pointwise, a depthwise and a pointwise convolution one after the other, or the last two, become one node
// where its rows then stay in L2.
#include "net/op_def.h"
#include "net/ops/conv.h"
#include "net/ops/inverted_residual.h"
#include "net/passes/passes.h"

namespace pyconv {

namespace {

bool is_pointwise(const Conv2dProblem& p) {
  return p.taps() == 1 && p.g == 1 && p.sh == 1 && p.sw == 1 && !p.padded();
}

// The conv that makes `value` and is read for it alone; null where there is none.
const Node* conv_behind(const Graph& graph, ValueId value, int* id) {
  *id = graph.value(value).producer;
  if (*id < 0 || graph.is_output(value) || graph.readers(value).size() != 1) return nullptr;
  const Node& node = graph.nodes()[static_cast<std::size_t>(*id)];
  return !node.dead && node.op == &op_conv && node.inputs.size() <= 3 ? &node : nullptr;
}

void copy_attribute(const Attributes& from, const char* name, Attributes* to, const char* as) {
  if (const Attribute* value = from.find(name)) to->set(as, *value);
}

ValueId input_or_none(const Node& node, std::size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

}  // namespace

void pass_fuse_inverted_residual(Graph& graph, RewriteLog& log) {
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node project = graph.nodes()[i];
    if (project.dead || project.op != &op_conv || !is_pointwise(conv_problem(NodeArgs(graph, project))))
      continue;
    int middle_id, expand_id;
    const Node* middle = conv_behind(graph, project.inputs[0], &middle_id);
    if (!middle || !conv_problem(NodeArgs(graph, *middle)).depthwise()) continue;
    const Node* expand = conv_behind(graph, middle->inputs[0], &expand_id);
    if (expand && !is_pointwise(conv_problem(NodeArgs(graph, *expand)))) expand = nullptr;
    Node block = project;
    block.op = &op_inverted_residual;
    block.attributes = Attributes();
    copy_attribute(middle->attributes, "stride", &block.attributes, "stride");
    copy_attribute(middle->attributes, "padding", &block.attributes, "padding");
    copy_attribute(middle->attributes, "activation", &block.attributes, "depthwise_activation");
    copy_attribute(middle->attributes, "alpha", &block.attributes, "depthwise_alpha");
    copy_attribute(project.attributes, "activation", &block.attributes, "activation");
    copy_attribute(project.attributes, "alpha", &block.attributes, "alpha");
    if (expand) {
      copy_attribute(expand->attributes, "activation", &block.attributes, "expand_activation");
      copy_attribute(expand->attributes, "alpha", &block.attributes, "expand_alpha");
    }
    block.inputs = {expand ? expand->inputs[0] : middle->inputs[0],
                    expand ? expand->inputs[1] : kNoValue,
                    expand ? input_or_none(*expand, 2) : kNoValue,
                    middle->inputs[1], input_or_none(*middle, 2),
                    project.inputs[1], input_or_none(project, 2)};
    if (project.inputs.size() > 3) block.inputs.push_back(project.inputs[3]);
    if (conv_problem(NodeArgs(graph, *middle)).dh != 1 || conv_problem(NodeArgs(graph, *middle)).dw != 1)
      continue;
    if (!refuse_fused_block(inverted_residual_problem(NodeArgs(graph, block)), max_isa()).empty()) continue;
    std::vector<std::string> absorbed = project.absorbed;
    for (const Node* part : {middle, expand}) {
      if (!part) continue;
      absorbed.push_back(part->name);
      absorbed.insert(absorbed.end(), part->absorbed.begin(), part->absorbed.end());
    }
    log.add(project.name + " takes over " + middle->name + (expand ? " and " + expand->name : "") +
            ": rows of the wide image stay in L2");
    graph.kill(middle_id);
    if (expand) graph.kill(expand_id);
    graph.node(static_cast<int>(i)).absorbed = std::move(absorbed);
    graph.rewrite(static_cast<int>(i), "inverted_residual", block.inputs, block.attributes);
  }
}

}  // namespace pyconv
