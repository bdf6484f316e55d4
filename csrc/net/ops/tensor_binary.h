// Two operands with numpy's broadcasting, for every type and layout.
#pragma once
#include "net/ops/tensor_common.h"
#include "ops/tensor/binary.h"

namespace pyconv {

std::vector<TensorType> infer_broadcast_pair(const NodeArgs& args, BinaryOp op);
std::unique_ptr<Step> plan_broadcast_pair(const StepArgs& args, BinaryOp op);

}  // namespace pyconv
