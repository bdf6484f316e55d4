// Nodes whose inputs are all constants, computed while the graph is built.
#pragma once
#include <vector>

#include "net/op_def.h"

namespace pyconv {

bool all_inputs_known(const NodeArgs& args);

// The node's outputs; in exact arithmetic, so that they do not depend on how the network is compiled.
std::vector<ConstantPtr> evaluate(const NodeArgs& args);

}  // namespace pyconv
