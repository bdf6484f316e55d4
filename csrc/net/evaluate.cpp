#include "net/evaluate.h"

namespace pyconv {

bool all_inputs_known(const NodeArgs& args) {
  for (std::size_t i = 0; i < args.inputs(); ++i)
    if (args.has(i) && !args.constant(i)) return false;
  return true;
}

std::size_t output_bytes(const NodeArgs& args) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < args.node().outputs.size(); ++i) bytes += args.output(i).bytes();
  return bytes;
}

std::vector<ConstantPtr> evaluate(const NodeArgs& args, std::size_t most_bytes) {
  const Node& node = args.node();
  if (node.op->layout != LayoutRule::alias && output_bytes(args) > most_bytes)
    args.refuse("expected a constant of at most " + std::to_string(most_bytes) + " bytes, got " +
                args.output(0).text());
  if (node.op->layout == LayoutRule::alias) {
    auto renamed = std::make_shared<Constant>(*args.constant(0));
    renamed->type = args.output();
    return {renamed};
  }
  PlanOptions options;
  options.accuracy = Accuracy::exact;
  options.max_isa = max_isa();
  StepArgs step_args(args.graph(), node, options);
  step_args.in.resize(node.inputs.size());
  step_args.out.resize(node.outputs.size());
  const std::unique_ptr<Step> step = node.op->plan(step_args);
  std::vector<ConstantPtr> results;
  std::vector<void*> tensors;
  for (std::size_t i = 0; i < args.inputs(); ++i)
    tensors.push_back(args.has(i) ? const_cast<void*>(args.constant(i)->data) : nullptr);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const std::shared_ptr<Constant> result = make_constant(args.output(i));
    tensors.push_back(const_cast<void*>(result->data));
    results.push_back(result);
  }
  if (output_bytes(args) == 0) return results;
  const AlignedBuffer workspace(step->workspace_bytes());
  step->run(tensors.data(), workspace.data());
  return results;
}

}  // namespace pyconv
