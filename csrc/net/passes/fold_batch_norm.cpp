// y = s (W x + b - mean) + beta with s = gamma / sqrt(var + eps) is a convolution with weights s W and
// bias s (b - mean) + beta: computed in double and rounded once. Source: Jacob et al.,
// arXiv:1712.05877, section 3.2.
#include <cmath>

#include "net/op_def.h"
#include "net/passes/passes.h"

namespace pyconv {

namespace {

struct Folded {
  ConstantPtr weight, bias;
};

Folded fold(const Constant& weight, const Constant* bias, const NodeArgs& norm) {
  const std::int64_t channels = weight.type.shape[0];
  const std::int64_t depth = channels ? weight.type.shape.elements() / channels : 0;
  const double eps = norm.attributes().number("eps", 1e-5);
  const auto at = [&](std::size_t input, std::int64_t i, double otherwise) {
    return norm.has(input) ? static_cast<double>(norm.constant(input)->floats()[i]) : otherwise;
  };
  const std::shared_ptr<Constant> scaled = make_constant(weight.type);
  const std::shared_ptr<Constant> shifted = make_constant({DType::f32, {channels}});
  float* to_weight = static_cast<float*>(const_cast<void*>(scaled->data));
  float* to_bias = static_cast<float*>(const_cast<void*>(shifted->data));
  for (std::int64_t c = 0; c < channels; ++c) {
    const double scale = at(3, c, 1.0) / std::sqrt(at(2, c, 1.0) + eps);
    for (std::int64_t k = 0; k < depth; ++k)
      to_weight[c * depth + k] =
          static_cast<float>(static_cast<double>(weight.floats()[c * depth + k]) * scale);
    const double own = bias ? static_cast<double>(bias->floats()[c]) : 0.0;
    to_bias[c] = static_cast<float>((own - at(1, c, 0.0)) * scale + at(4, c, 0.0));
  }
  return {scaled, shifted};
}

}  // namespace

void pass_fold_batch_norm(Graph& graph, RewriteLog& log) {
  drop_unread(graph, log);  // such a reader would keep a batch norm where it is: other bits without fold_constants
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& norm = graph.nodes()[i];
    if (norm.dead || norm.op != &op_batch_norm) continue;
    const ValueId middle = norm.inputs[0];
    const int before = sole_producer(graph, middle);
    if (before < 0) continue;
    const Node layer = graph.nodes()[static_cast<std::size_t>(before)];
    if (layer.op != &op_conv && layer.op != &op_linear) continue;
    // A linear layer's features are channels only where they are axis 1.
    if (layer.op == &op_linear && graph.type(middle).shape.rank != 2) continue;
    if (layer.inputs.size() > 3 || layer.attributes.find("activation")) continue;
    const NodeArgs args(graph, layer);
    const Folded folded = fold(*args.constant(1), args.constant(2), NodeArgs(graph, norm));
    const std::string base = layer.name;
    const ValueId weight = graph.add_constant(base + ".weight*", folded.weight);
    const ValueId bias = graph.add_constant(base + ".bias*", folded.bias);
    log.add(base + " takes over " + norm.name + " (batch_norm)");
    Node& target = graph.node(static_cast<int>(i));
    target.absorbed = layer.absorbed;
    target.absorbed.push_back(target.name);
    target.name = base;
    target.algorithm = layer.algorithm;
    graph.rewrite(static_cast<int>(i), layer.op->name, {layer.inputs[0], weight, bias},
                  layer.attributes);
    graph.kill(before);
  }
}

}  // namespace pyconv
