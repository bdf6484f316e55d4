// Memory planning: where in one arena every buffer lies, so that buffers whose lifetimes overlap do not.
//
// Largest first, each at the lowest place that is free for the whole of its life (Pisarchyk and Lee,
// "Efficient Memory Management for Deep Neural Net Inference", arXiv:2001.03288, "greedy by size").
#pragma once
#include <cstddef>

#include "net/lowering.h"

namespace pyconv {

// Finds lifetimes, lets steps that may do so work in place, and sets all offsets; returns the arena's
// bytes, workspaces among them.
std::size_t plan_memory(LoweredGraph* graph);

}  // namespace pyconv
