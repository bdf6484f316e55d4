#include "net/lowering.h"

#include <algorithm>
#include <stdexcept>

#include "base/mapped_file.h"
#include "base/status.h"
#include "ops/layout.h"

namespace pyconv {

namespace {

bool is_image(const TensorType& type) { return type.shape.rank == 4; }

// NCHW and NHWC are the same bytes.
bool layout_free(const TensorType& type) {
  return !is_image(type) || type.shape[1] == 1 || type.shape[2] * type.shape[3] == 1;
}

// A step all of whose outputs are empty. Its loops might still count a dimension of 2^40 through.
class EmptyStep final : public Step {
 public:
  explicit EmptyStep(std::unique_ptr<Step> step) : step_(std::move(step)) {}
  void run(void* const*, void*) const override {}
  std::size_t packed_bytes() const override { return step_->packed_bytes(); }
  StepReport report() const override { return step_->report(); }

 private:
  std::unique_ptr<Step> step_;
};

class Lowering {
 public:
  Lowering(const Graph& graph, const PlanOptions& options)
      : graph_(graph), options_(options), forms_(graph.values().size()), views_(graph.values().size()) {}

  LoweredGraph run() {
    place_concats();
    for (std::size_t i = 0; i < graph_.inputs().size(); ++i) add_input(static_cast<int>(i));
    for (const Node& node : graph_.nodes()) add_node(node);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) bind_output(static_cast<int>(i));
    return std::move(result_);
  }

 private:
  // The tensors of a value, by layout; -1: not made.
  struct Forms {
    int by_layout[2] = {-1, -1};
  };
  // A value that is written into the channels [offset, ...) of a concatenation.
  struct View {
    ValueId into = kNoValue;
    std::int64_t offset = 0;
  };

  Forms& forms(ValueId id) { return forms_[static_cast<std::size_t>(id)]; }
  int& form(ValueId id, Layout layout) {
    return forms(id).by_layout[static_cast<std::size_t>(layout)];
  }
  View& view(ValueId id) { return views_[static_cast<std::size_t>(id)]; }
  const Tensor& tensor(int id) const { return result_.tensors[static_cast<std::size_t>(id)]; }

  int add_tensor(Tensor tensor) {
    const int id = static_cast<int>(result_.tensors.size());
    int& slot = form(tensor.value, tensor.placement.layout);
    if (slot < 0) slot = id;
    result_.tensors.push_back(std::move(tensor));
    return id;
  }

  int add_buffer(Space space, int index, std::size_t bytes, ConstantPtr constant = nullptr) {
    Buffer buffer;
    buffer.space = space;
    buffer.index = index;
    buffer.bytes = bytes;
    buffer.constant = std::move(constant);
    result_.buffers.push_back(std::move(buffer));
    return static_cast<int>(result_.buffers.size()) - 1;
  }

  void add_input(int index) {
    const ValueId id = graph_.inputs()[static_cast<std::size_t>(index)];
    const TensorType& type = graph_.type(id);
    add_tensor({id, type, {}, add_buffer(Space::input, index, type.bytes()), 0});
  }

  // Concatenations of channels whose inputs may be written in place; outer ones first, so that the
  // inner ones nest.
  void place_concats() {
      for (std::size_t i = graph_.nodes().size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      if (node.op != &op_concat || !placeable_concat(node)) continue;
      std::int64_t offset = 0;
      for (const ValueId id : node.inputs) {
        if (placeable_part(id)) view(id) = {node.outputs[0], offset};
        offset += graph_.type(id).shape[1];
      }
    }
  }

  bool placeable_concat(const Node& node) const {
    const TensorType& out = graph_.type(node.outputs[0]);
    return is_image(out) && out.dtype == DType::f32 &&
           (node.attributes.integer("axis", 1) == 1 || node.attributes.integer("axis", 1) == -3);
  }

  bool placeable_part(ValueId id) const {
    const Value& value = graph_.value(id);
    if (value.producer < 0) return false;
    if (views_[static_cast<std::size_t>(id)].into != kNoValue) return false;
    const auto node = [&](int n) -> const Node& { return graph_.nodes()[static_cast<std::size_t>(n)]; };
    const Node& producer = node(value.producer);
    const bool nested = producer.op == &op_concat && placeable_concat(producer);
    if (!nested && !(producer.op->strided && producer.op->layout == LayoutRule::channels_last))
      return false;
    std::vector<int> readers = graph_.readers(id);
    return std::all_of(readers.begin(), readers.end(), [&](int reader) {
      const OpDef& op = *node(reader).op;
      return op.strided || (&op == &op_concat && placeable_concat(node(reader)));
    });
  }

  // The tensor that `id` is written to when it is made in `layout`.
  int output_tensor(ValueId id, Layout layout) {
    const TensorType& type = graph_.type(id);
    Tensor made{id, type, {}, 0, 0};
    if (is_image(type)) made.placement.layout = layout;
    if (view(id).into != kNoValue && made.placement.layout == Layout::nhwc) {
      const Tensor whole = tensor(concat_tensor(view(id).into));
      made.buffer = whole.buffer;
      made.placement.pixel =
          whole.placement.pixel ? whole.placement.pixel : whole.type.shape[1];
      made.offset = whole.offset + static_cast<std::size_t>(view(id).offset) * sizeof(float);
    } else {
      made.buffer = add_buffer(Space::arena, 0, type.bytes());
    }
    return add_tensor(std::move(made));
  }

  // The nhwc tensor of a concatenation, made when its first part is.
  int concat_tensor(ValueId id) {
    const int known = form(id, Layout::nhwc);
    return known >= 0 ? known : output_tensor(id, Layout::nhwc);
  }

  int constant_tensor(ValueId id, Layout layout) {
    const Value& value = graph_.value(id);
    ConstantPtr constant = value.constant;
    if (layout == Layout::nhwc && !layout_free(value.type)) {
      const Shape& s = value.type.shape;
      const std::shared_ptr<Constant> moved = make_constant(value.type);
      convert_layout(constant->floats(), static_cast<float*>(const_cast<void*>(moved->data)),
                     Layout::nhwc, s[0], s[1], s[2] * s[3], 0, options_.max_isa, 1);
      constant = moved;
    }
    const std::size_t bytes = value.type.bytes();
    return add_tensor({id, value.type, {is_image(value.type) ? layout : Layout::nchw, 0},
                       add_buffer(Space::constant, 0, bytes, std::move(constant)), 0});
  }

  // `id` in `layout`, with a reorder where it has been made in the other only.
  int input_tensor(ValueId id, Layout layout, bool strided) {
    const TensorType& type = graph_.type(id);
    if (!is_image(type)) layout = Layout::nchw;
    const int known = form(id, layout);
    if (known >= 0 && (strided || tensor(known).placement.pixel == 0)) return known;
    if (known < 0 && graph_.value(id).constant) return constant_tensor(id, layout);
    const int other = form(id, layout == Layout::nchw ? Layout::nhwc : Layout::nchw);
    const int from = known >= 0 ? known : other;
    if (from < 0) throw std::logic_error("value '" + graph_.value(id).name + "' was never made");
    Tensor made{id, type, {layout, 0}, 0, 0};
    if (known < 0 && tensor(from).placement.pixel == 0 && layout_free(type)) {
      made.buffer = tensor(from).buffer;
      made.offset = tensor(from).offset;
      return add_tensor(std::move(made));
    }
    return add_reorder(from, layout);
  }

  int add_reorder(int from, Layout layout, int into = -1) {
    const ValueId id = tensor(from).value;
    if (into < 0) {
      const Tensor made{id, tensor(from).type, {layout, 0},
                        add_buffer(Space::arena, 0, tensor(from).type.bytes()), 0};
      into = add_tensor(made);
    }
    Node node;
    node.op = &op_reorder;
    node.name = graph_.value(id).name + (layout == Layout::nhwc ? ":nhwc" : ":nchw");
    node.inputs = {id};
    node.outputs = {id};
    add_step(std::move(node), {from}, {into});
    return into;
  }

  void add_step(Node node, std::vector<int> inputs, std::vector<int> outputs) {
    result_.steps.push_back({std::move(node), std::move(inputs), std::move(outputs), nullptr, 0});
    LoweredStep& step = result_.steps.back();
    StepArgs args(graph_, step.node, options_, step.node.algorithm.empty() ? "auto" : step.node.algorithm);
    for (const int id : step.inputs) args.in.push_back(id < 0 ? Placement{} : tensor(id).placement);
    for (const int id : step.outputs) args.out.push_back(tensor(id).placement);
    step.step = step.node.op->plan(args);
    if (std::all_of(step.outputs.begin(), step.outputs.end(),
                    [&](int id) { return tensor(id).type.shape.elements() == 0; }))
      step.step = std::make_unique<EmptyStep>(std::move(step.step));
    // What was packed out of a file is not wanted in memory twice.
    for (std::size_t i = 0; i < step.node.inputs.size() && i < 32; ++i) {
      const Constant* constant = args.constant(i);
      if (constant && constant->mapped && (step.node.op->packed >> i & 1u))
        release_mapped_pages(constant->data, constant->type.bytes());
    }
  }

  void add_node(const Node& node) {
    switch (node.op->layout) {
      case LayoutRule::alias: return add_alias(node);
      case LayoutRule::channels_last:
        return add_images(node, makes_planes(node, source_of(node)) ? Layout::nchw : Layout::nhwc);
      case LayoutRule::follow: return add_images(node, followed_layout(node));
      case LayoutRule::row_major: return add_images(node, Layout::nchw);
    }
  }

  void add_alias(const Node& node) {
    const Tensor from = tensor(input_tensor(node.inputs[0], Layout::nchw, false));
    add_tensor({node.outputs[0], graph_.type(node.outputs[0]), {}, from.buffer, from.offset});
  }

  bool image_input(const Node& node, std::size_t i) const {
    return node.inputs[i] != kNoValue && (i >= 32 || (node.op->images >> i & 1u)) &&
           is_image(graph_.type(node.inputs[i]));
  }

  Layout followed_layout(const Node& node) {
    bool floats = graph_.type(node.outputs[0]).dtype == DType::f32, nhwc = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!image_input(node, i)) continue;
      const ValueId id = node.inputs[i];
      floats = floats && graph_.type(id).dtype == DType::f32;
      nhwc = nhwc || (form(id, Layout::nhwc) >= 0 && form(id, Layout::nchw) < 0);
    }
    return floats && nhwc ? Layout::nhwc : Layout::nchw;
  }

  bool only_planes(ValueId id) { return form(id, Layout::nhwc) < 0 && form(id, Layout::nchw) >= 0; }

  // How input 0 of a channels_last node lies for an operator that takes it either way.
  Placement source_of(const Node& node) {
    const ValueId id = node.inputs.empty() ? kNoValue : node.inputs[0];
    if (id == kNoValue || only_planes(id)) return {};
    const int nhwc = form(id, Layout::nhwc);
    return nhwc >= 0 ? tensor(nhwc).placement : Placement{Layout::nhwc, 0};
  }

  bool makes_planes(const Node& node, const Placement& source, int before = 0) {
    if (!node.op->planes || node.outputs.size() != 1 || !takes_planes(node.outputs[0], before)) return false;
    StepArgs args(graph_, node, options_, node.algorithm.empty() ? "auto" : node.algorithm);
    args.in.assign(node.inputs.size(), {});
    args.in[0] = source;
    args.out = {{Layout::nhwc, 0}};
    return node.op->planes(args);
  }

  // Whether planes suit all that becomes of `id`: one reader, so that nothing is converted twice. `before`: nodes
  // followed so far; no more than a few, or a chain would be followed again from each of its nodes.
  bool takes_planes(ValueId id, int before) {
    constexpr int kMostFollowed = 4;
    if (before == kMostFollowed) return false;
    if (!is_image(graph_.type(id)) || view(id).into != kNoValue) return false;
    const std::vector<int> readers = graph_.readers(id);
    if (readers.empty()) return graph_.is_output(id);
    const Node& reader = graph_.nodes()[static_cast<std::size_t>(readers[0])];
    if (readers.size() > 1 || reader.inputs[0] != id ||
        std::count(reader.inputs.begin(), reader.inputs.end(), id) > 1)
      return false;
    return reader.op->any_source || makes_planes(reader, {}, before + 1);
  }

  void add_images(const Node& node, Layout layout) {
    if (node.op == &op_concat && layout == Layout::nhwc && placeable_concat(node))
      return finish_concat(node);
    std::vector<int> inputs, outputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      const bool packed = i < 32 && (node.op->packed >> i & 1u);
      if (id == kNoValue || packed) {
        inputs.push_back(-1);
      } else if (image_input(node, i)) {
        const bool either = i == 0 && node.op->any_source;
        const Layout wanted = !either ? layout : only_planes(id) ? Layout::nchw : Layout::nhwc;
        inputs.push_back(input_tensor(id, wanted, node.op->strided));
      } else {
        inputs.push_back(input_tensor(id, Layout::nchw, false));
      }
    }
    for (const ValueId id : node.outputs) outputs.push_back(output_tensor(id, layout));
    add_step(node, std::move(inputs), std::move(outputs));
  }

  // What was not written in place is copied there.
  void finish_concat(const Node& node) {
    const int whole = concat_tensor(node.outputs[0]);
    std::int64_t offset = 0;
    for (const ValueId id : node.inputs) {
      const bool in_place = view(id).into == node.outputs[0] && view(id).offset == offset &&
                            form(id, Layout::nhwc) >= 0 &&
                            tensor(form(id, Layout::nhwc)).buffer == tensor(whole).buffer;
      if (!in_place) {
        const int nhwc = form(id, Layout::nhwc);
        const int from = nhwc >= 0 || graph_.value(id).constant
                             ? input_tensor(id, Layout::nhwc, true)
                             : input_tensor(id, Layout::nchw, true);
        const std::int64_t pixel = tensor(whole).placement.pixel
                                       ? tensor(whole).placement.pixel
                                       : tensor(whole).type.shape[1];
        Tensor part{id, graph_.type(id), {Layout::nhwc, pixel}, tensor(whole).buffer,
                    tensor(whole).offset + static_cast<std::size_t>(offset) * sizeof(float)};
        add_reorder(from, Layout::nhwc, add_tensor(std::move(part)));
      }
      offset += graph_.type(id).shape[1];
    }
  }

  // Output `index` is row-major and dense in memory of the caller's.
  void bind_output(int index) {
    const ValueId id = graph_.outputs()[static_cast<std::size_t>(index)];
    const int made = input_tensor(id, Layout::nchw, false);
    Buffer& buffer = result_.buffers[static_cast<std::size_t>(tensor(made).buffer)];
    if (buffer.space == Space::arena && buffer.bytes == tensor(made).type.bytes()) {
      buffer.space = Space::output;
      buffer.index = index;
      return;
    }
    const Tensor out{id, tensor(made).type, {},
                     add_buffer(Space::output, index, tensor(made).type.bytes()), 0};
    result_.tensors.push_back(out);
    add_reorder(made, Layout::nchw, static_cast<int>(result_.tensors.size()) - 1);
  }

  const Graph& graph_;
  const PlanOptions& options_;
  std::vector<Forms> forms_;
  std::vector<View> views_;
  LoweredGraph result_;
};

}  // namespace

LoweredGraph lower(const Graph& graph, const PlanOptions& options) {
  return Lowering(graph, options).run();
}

}  // namespace pyconv
