#include "net/one_image.h"

#include <algorithm>

#include "base/cpu.h"
#include "base/status.h"
#include "net/op_def.h"

namespace pyconv {

namespace {

// Fully connected layers read their weights once for a whole batch. Zen 5: 45 GB/s from DRAM against 250
// GFLOP/s; batches pay from a twentieth of the time on.
constexpr double kBytesPerSecond = 45e9, kFlopsPerSecond = 250e9, kWorthBatching = 0.05;

bool holds(const Integers& axes, std::int64_t axis, int rank) {
  return std::any_of(axes.begin(), axes.end(), [&](std::int64_t a) { return a == axis || a + rank == axis; });
}

// Operators that treat images one by one whatever their attributes are.
bool is_always_separable(const OpDef& op) {
  static const OpDef* const list[] = {
      &op_conv,       &op_inverted_residual, &op_scaled_conv, &op_conv_transpose,   &op_batch_norm,
      &op_lrn,        &op_max_pool,          &op_avg_pool,    &op_global_avg_pool,  &op_global_max_pool,
      &op_linear,     &op_identity,          &op_picture,     &op_instance_norm,    &op_clip,
      &op_relu,       &op_relu6,             &op_leaky_relu,  &op_elu,              &op_sigmoid,
      &op_hard_sigmoid, &op_silu,            &op_hard_swish,  &op_tanh,             &op_gelu,
      &op_gelu_tanh,  &op_exp,               &op_softplus,    &op_softsign,         &op_mish,
      &op_selu,       &op_celu,              &op_sqrt,        &op_abs,              &op_neg,
      &op_thresholded_relu, &op_normed_conv};
  return std::find(std::begin(list), std::end(list), &op) != std::end(list);
}

bool is_pairwise(const OpDef& op) {
  return &op == &op_add || &op == &op_mul || &op == &op_sub || &op == &op_div || &op == &op_min ||
         &op == &op_max || &op == &op_prelu;
}

class Splitter {
 public:
  Splitter(const Graph& graph, std::int64_t images) : graph_(graph), images_(images) {}

  bool run(Graph* one) {
    ids_.assign(graph_.values().size(), kNoValue);
    for (const ValueId id : graph_.inputs()) {
      if (!is_batch(graph_.type(id))) return false;
      map(id) = one->add_input(graph_.value(id).name, single(graph_.type(id)));
    }
    for (const Node& node : graph_.nodes())
      if (!node.dead && !add(node, one)) return false;
    std::vector<ValueId> outputs;
    for (const ValueId id : graph_.outputs()) {
      if (graph_.value(id).constant || !is_batch(graph_.type(id))) return false;
      outputs.push_back(map(id));
    }
    one->set_outputs(std::move(outputs), graph_.output_names());
    return true;
  }

 private:
  ValueId& map(ValueId id) { return ids_[static_cast<std::size_t>(id)]; }
  bool is_batch(const TensorType& type) const {
    return type.shape.rank > 0 && type.shape[0] == images_;
  }
  static TensorType single(TensorType type) {
    type.shape[0] = 1;
    return type;
  }

  bool separable(const Node& node, Attributes* attributes) const {
    const TensorType& out = graph_.type(node.outputs[0]);
    const int rank = out.shape.rank;
    if (is_always_separable(*node.op)) return node.op != &op_linear || rank >= 2;
    if (is_pairwise(*node.op))
      return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
        return graph_.value(id).constant || graph_.type(id).shape.rank == rank;
      });
    if (node.op == &op_concat || node.op == &op_softmax || node.op == &op_log_softmax)
      return !holds({attributes->integer("axis", node.op == &op_concat ? 1 : -1)}, 0, rank);
    if (node.op == &op_reshape) {
      Integers shape(out.shape.dims, out.shape.dims + rank);
      shape[0] = 1;
      attributes->set("shape", shape);
      return is_batch(graph_.type(node.inputs[0]));
    }
    if (node.op == &op_transpose) {
      const Integers axes = attributes->integers("axes", {});
      return !axes.empty() && (axes[0] == 0 || axes[0] + rank == 0);
    }
    if (node.op == &op_slice) return !holds(attributes->integers("axes", {0}), 0, rank);
    if (node.op == &op_reduce_mean || node.op == &op_reduce_max || node.op == &op_reduce_sum)
      return !holds(attributes->integers("axes", {0}), 0, graph_.type(node.inputs[0]).shape.rank);
    if (node.op == &op_pad) {
      const Integers pads = attributes->integers("pads", {});
      return pads.size() == 2 * static_cast<std::size_t>(rank) && pads[0] == 0 &&
             pads[static_cast<std::size_t>(rank)] == 0;
    }
    return false;
  }

  bool add(const Node& node, Graph* one) {
    Attributes attributes = node.attributes;
    if (!separable(node, &attributes)) return false;
    std::vector<ValueId> inputs;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && map(id) == kNoValue)
        map(id) = one->add_constant(graph_.value(id).name, graph_.value(id).constant);
      inputs.push_back(id == kNoValue ? kNoValue : map(id));
    }
    std::vector<ValueId> outputs;
    try {
      outputs = one->add_node(node.op->name, std::move(inputs), std::move(attributes), node.name);
    } catch (const InvalidArgument&) {
      return false;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const TensorType& whole = graph_.type(node.outputs[i]);
      if (!is_batch(whole) || one->type(outputs[i]).dtype != whole.dtype ||
          one->type(outputs[i]).shape != single(whole).shape)
        return false;
      map(node.outputs[i]) = outputs[i];
      one->rename(outputs[i], graph_.value(node.outputs[i]).name);
    }
    Node& made = one->node(static_cast<int>(one->nodes().size()) - 1);
    made.algorithm = node.algorithm;
    made.absorbed = node.absorbed;
    return true;
  }

  const Graph& graph_;
  std::int64_t images_;
  std::vector<ValueId> ids_;
};

}  // namespace

std::int64_t split_batch(const Graph& graph, Graph* one) {
  if (graph.inputs().empty()) return 0;
  const Shape& first = graph.type(graph.inputs()[0]).shape;
  if (first.rank < 2 || first[0] < 2 || first.elements() == 0) return 0;
  return Splitter(graph, first[0]).run(one) ? first[0] : 0;
}

namespace {

double macs_of(const Graph& one) {
  double macs = 0;
  for (const Node& node : one.nodes())
    if (node.op->macs) macs += static_cast<double>(node.op->macs(NodeArgs(one, node)));
  return macs;
}

}  // namespace

int threads_for_images(const Graph& one, std::int64_t images, int threads) {
  // 45 us, 200,000 cycles of 16 multiply-adds (docs/decisions/003-thread-pool.md).
  const double work = static_cast<double>(images) * macs_of(one) / 16.0;
  const int useful = static_cast<int>(std::min<double>(threads, 1.0 + work / 200000.0));
  return images % useful == 0 || images >= 4 * useful ? useful : 1;
}

bool images_pay(const Graph& one) {
  double bytes = 0;
  for (const Node& node : one.nodes())
    if (node.op == &op_linear) bytes += static_cast<double>(one.type(node.inputs[1]).bytes());
  if (bytes < static_cast<double>(cpu().l2_bytes)) return true;
  return bytes / kBytesPerSecond < kWorthBatching * 2.0 * macs_of(one) / kFlopsPerSecond;
}

}  // namespace pyconv
