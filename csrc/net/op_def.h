// OpDef: everything the engine knows of one operator, in one place: its attributes, the rule of its
// shapes, its cost, which layouts it takes, and how it is run. One row in op_table.inc each; the
// definitions stand in net/ops/, by family.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "net/graph.h"

namespace pyconv {

// A node and the graph it stands in, as an operator's functions see it.
class NodeArgs {
 public:
  NodeArgs(const Graph& graph, const Node& node) : graph_(graph), node_(node) {}
  const Graph& graph() const { return graph_; }
  const Node& node() const { return node_; }
  const Attributes& attributes() const { return node_.attributes; }
  std::size_t inputs() const { return node_.inputs.size(); }
  bool has(std::size_t i) const { return i < inputs() && node_.inputs[i] != kNoValue; }
  const TensorType& input(std::size_t i) const { return graph_.type(node_.inputs[i]); }
  const Shape& shape(std::size_t i) const { return input(i).shape; }
  const TensorType& output(std::size_t i = 0) const { return graph_.type(node_.outputs[i]); }
  // The constant that input i is, or null.
  const Constant* constant(std::size_t i) const {
    return has(i) ? graph_.value(node_.inputs[i]).constant.get() : nullptr;
  }
  // Likewise, refusing the node where input i is no constant of this type; null where it is absent.
  const Constant* need_constant(std::size_t i, const char* what) const;
  void need_f32(std::size_t i, const char* what) const;
  void need_rank(std::size_t i, const char* what, int rank) const;
  // Throws InvalidArgument "node 'NAME' (OP): WHY".
  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const Graph& graph_;
  const Node& node_;
};

// How a tensor lies in memory when a step runs: nhwc only for images (rank 4).
struct Placement {
  Layout layout = Layout::nchw;  // nchw: row-major, whatever the rank
  std::int64_t pixel = 0;        // nhwc: floats from one pixel to the next; 0: dense
};

struct PlanOptions {
  Accuracy accuracy = Accuracy::fast;
  int threads = 1;
  Isa max_isa = Isa::scalar;
  std::size_t workspace_limit = static_cast<std::size_t>(-1);  // bytes that one step may ask for
};

struct StepArgs : NodeArgs {
  StepArgs(const Graph& graph, const Node& node, const PlanOptions& o, std::string pinned = "auto")
      : NodeArgs(graph, node), options(o), algorithm(std::move(pinned)) {}
  const PlanOptions& options;
  std::string algorithm;            // "auto", or the one pinned by the caller
  std::vector<Placement> in, out;   // one for each input and output
};

// An algorithm that was considered for a step.
struct Candidate {
  std::string name;
  bool accepted = false;
  std::string reason;  // the refusal
  double cost = 0.0;   // estimated cycles
  std::size_t workspace_bytes = 0;
};

struct StepReport {
  std::string algorithm, kernels;
  int threads = 1;
  std::vector<Candidate> candidates{};
  std::string problem{};  // of a convolution, as its line
};

// A node made ready to run: weights packed, algorithm chosen. Immutable.
class Step {
 public:
  virtual ~Step() = default;
  // tensors: the node's inputs, then its outputs; null for absent and packed inputs. Allocates nothing.
  virtual void run(void* const* tensors, void* workspace) const = 0;
  virtual std::size_t workspace_bytes() const { return 0; }
  virtual std::size_t packed_bytes() const { return 0; }
  virtual StepReport report() const { return {}; }
  // The input where the output may lie, of the same shape and layout; -1: none but what OpDef::in_place says.
  virtual int in_place_input() const { return -1; }
};

enum class LayoutRule : std::uint8_t {
  row_major,      // every tensor in row-major order
  channels_last,  // images in nhwc, inputs that `images` names and the outputs
  follow,         // one layout for all images of the output's shape: that of the inputs
  alias,          // the output is the input's memory, row-major, under another shape
};

struct AttributeSpec {
  const char* name;
  AttributeKind kind;
};

struct OpDef {
  const char* name;
  int least_inputs, most_inputs;  // most < 0: any number
  std::vector<AttributeSpec> attributes;
  std::vector<TensorType> (*infer)(const NodeArgs&);
  std::unique_ptr<Step> (*plan)(const StepArgs&);  // null for alias
  LayoutRule layout = LayoutRule::row_major;
  std::uint32_t images = 1;     // channels_last: bit i is set where input i is an image
  std::uint32_t packed = 0;     // bit i is set where input i is a constant that the plan consumes
  bool any_source = false;      // channels_last: input 0 may be nchw as well
  // channels_last: whether the output is made in nchw rather than converted to nhwc, for readers that don't
  // mind; null: never. `in` says how the inputs lie.
  bool (*planes)(const StepArgs&) = nullptr;
  bool strided = false;         // honours pixel strides of its images
  bool in_place = false;        // the output may lie where input 0 does
  std::int64_t (*macs)(const NodeArgs&) = nullptr;  // null: none
};

#define PYCONV_OP(name) extern const OpDef op_##name;
#include "net/op_table.inc"
#undef PYCONV_OP

// All operators, in the table's order.
const std::vector<const OpDef*>& op_table();
const OpDef* find_op(const std::string& name);  // null when there is none

}  // namespace pyconv
