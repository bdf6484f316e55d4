// Lowering: every value of a Graph gets a place, every node becomes a step.
//
// Layout is decided once per graph: convolutions and pools want NHWC, what merely follows keeps what it
// gets, the rest is row-major; a reorder step stands where two of them meet. A convolution that makes planes
// leaves them so where its one reader takes them, by way of pools. Constants are brought into
// place beforehand. Reshaping is another view of the same buffer, and so is concatenation: its inputs
// are written where they belong, channels [offset, offset + c) of wider pixels:
//
//     buffer of concat:   | a a a a | b b | c c c |  pixel 0
//                         | a a a a | b b | c c c |  pixel 1      pixel stride = 9 floats
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "net/op_def.h"

namespace pyconv {

enum class Space : std::uint8_t { arena, constant, input, output };

// Memory that one or more tensors lie in.
struct Buffer {
  Space space = Space::arena;
  int index = 0;          // of the graph's input or output
  ConstantPtr constant;
  std::size_t bytes = 0;
  int first = -1, last = -1;  // steps of the first write and the last use
  std::size_t offset = 0;     // from the arena's start
};

struct Tensor {
  ValueId value = kNoValue;
  TensorType type;
  Placement placement;
  int buffer = 0;
  std::size_t offset = 0;  // bytes from the buffer's start
};

struct LoweredStep {
  Node node;                        // a node of the graph, or a reorder
  std::vector<int> inputs, outputs;  // tensors, -1 where absent or packed
  std::unique_ptr<Step> step;
  std::size_t workspace_offset = 0;  // from the arena's start
};

struct LoweredGraph {
  std::vector<Buffer> buffers;
  std::vector<Tensor> tensors;
  std::vector<LoweredStep> steps;
};

LoweredGraph lower(const Graph& graph, const PlanOptions& options);

}  // namespace pyconv
