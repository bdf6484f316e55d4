// The block that an inverted_residual node stands for, for the pass that makes such nodes.
#pragma once
#include "net/op_def.h"
#include "ops/fused_block.h"

namespace pyconv {

FusedBlockProblem inverted_residual_problem(const NodeArgs& args);

}  // namespace pyconv
