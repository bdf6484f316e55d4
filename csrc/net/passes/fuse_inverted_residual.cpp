// A pointwise, a depthwise and a pointwise convolution one after the other, or the last two, or the first two,
// become one node where its rows then stay in L2.
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
  *id = sole_producer(graph, value);
  if (*id < 0) return nullptr;
  const Node& node = graph.nodes()[static_cast<std::size_t>(*id)];
  return node.op == &op_conv && node.inputs.size() <= 3 ? &node : nullptr;
}

void copy_attribute(const Attributes& from, const char* name, Attributes* to, const char* as) {
  if (const Attribute* value = from.find(name)) to->set(as, *value);
}

ValueId input_or_none(const Node& node, std::size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : kNoValue;
}

// Node `last` becomes the block that ends with it; null for the parts that are not there.
void fuse_block(Graph& graph, RewriteLog& log, int last, const Node* expand, const Node& middle,
                const Node* project, const std::vector<int>& absorbed_ids) {
  Node block = project ? *project : middle;
  const std::string name = block.name;
  block.op = &op_inverted_residual;
  block.attributes = Attributes();
  copy_attribute(middle.attributes, "stride", &block.attributes, "stride");
  copy_attribute(middle.attributes, "padding", &block.attributes, "padding");
  copy_attribute(middle.attributes, "activation", &block.attributes, "depthwise_activation");
  copy_attribute(middle.attributes, "alpha", &block.attributes, "depthwise_alpha");
  if (project) {
    copy_attribute(project->attributes, "activation", &block.attributes, "activation");
    copy_attribute(project->attributes, "alpha", &block.attributes, "alpha");
  }
  if (expand) {
    copy_attribute(expand->attributes, "activation", &block.attributes, "expand_activation");
    copy_attribute(expand->attributes, "alpha", &block.attributes, "expand_alpha");
  }
  block.inputs = {expand ? expand->inputs[0] : middle.inputs[0],
                  expand ? expand->inputs[1] : kNoValue,
                  expand ? input_or_none(*expand, 2) : kNoValue,
                  middle.inputs[1],
                  input_or_none(middle, 2),
                  project ? project->inputs[1] : kNoValue,
                  project ? input_or_none(*project, 2) : kNoValue,
                  project ? input_or_none(*project, 3) : kNoValue};
  while (block.inputs.back() == kNoValue) block.inputs.pop_back();
  const bool pinned = !block.algorithm.empty() || !middle.algorithm.empty() ||
                      (expand && !expand->algorithm.empty());
  if (pinned) return;
  if (!refuse_fused_block(inverted_residual_problem(NodeArgs(graph, block)), max_isa()).empty()) return;
  std::string parts;
  for (const int id : absorbed_ids) {
    const Node& part = graph.nodes()[static_cast<std::size_t>(id)];
    block.absorbed.push_back(part.name);
    block.absorbed.insert(block.absorbed.end(), part.absorbed.begin(), part.absorbed.end());
    parts += (parts.empty() ? "" : " and ") + part.name;
  }
  log.add(name + " takes over " + parts + ": rows of the wide image stay in L2");
  for (const int id : absorbed_ids) graph.kill(id);
  graph.node(last).absorbed = block.absorbed;
  graph.rewrite(last, "inverted_residual", block.inputs, block.attributes);
}

bool is_plain_depthwise(const Graph& graph, const Node& node) {
  if (node.dead || node.op != &op_conv || node.inputs.size() > 3) return false;
  const Conv2dProblem p = conv_problem(NodeArgs(graph, node));
  return p.depthwise() && p.icg() == 1 && p.ocg() == 1 && p.dh == 1 && p.dw == 1;
}

// The pointwise convolution that widens for `middle`, or null.
const Node* expansion_before(const Graph& graph, const Node& middle, int* id) {
  const Node* expand = conv_behind(graph, middle.inputs[0], id);
  return expand && is_pointwise(conv_problem(NodeArgs(graph, *expand))) ? expand : nullptr;
}

}  // namespace

void pass_fuse_inverted_residual(Graph& graph, RewriteLog& log) {
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node project = graph.nodes()[static_cast<std::size_t>(i)];
    if (project.dead || project.op != &op_conv || !is_pointwise(conv_problem(NodeArgs(graph, project))))
      continue;
    int middle_id, expand_id;
    const Node* found = conv_behind(graph, project.inputs[0], &middle_id);
    if (!found || !is_plain_depthwise(graph, *found)) continue;
    const Node middle = *found;
    const Node* expand = expansion_before(graph, middle, &expand_id);
    std::vector<int> absorbed = {middle_id};
    if (expand) absorbed.insert(absorbed.begin(), expand_id);
    fuse_block(graph, log, i, expand, middle, &project, absorbed);
  }
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node middle = graph.nodes()[static_cast<std::size_t>(i)];
    if (!is_plain_depthwise(graph, middle)) continue;
    int expand_id;
    const Node* expand = expansion_before(graph, middle, &expand_id);
    if (expand) fuse_block(graph, log, i, expand, middle, nullptr, {expand_id});
  }
}

}  // namespace pyconv
