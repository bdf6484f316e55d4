// The convolution that a conv node stands for, for passes and reports.
#pragma once
#include "net/op_def.h"
#include "ops/conv2d/problem.h"

namespace pyconv {

Conv2dProblem conv_problem(const NodeArgs& args);

}  // namespace pyconv
