// Nodes whose inputs are all constants, computed while the graph is built.
#pragma once
#include <vector>

#include "net/op_def.h"

namespace pyconv {

bool all_inputs_known(const NodeArgs& args);

// The node's outputs; in exact arithmetic, so that they do not depend on how the network is compiled.
// Refuses the node where they take more than `most_bytes`, those that share the input's memory apart.
std::vector<ConstantPtr> evaluate(const NodeArgs& args, std::size_t most_bytes);

std::size_t output_bytes(const NodeArgs& args);

}  // namespace pyconv
