// What the definitions over csrc/ops/tensor share.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "net/ops/common.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

// A step that is a function run(tensors, workspace).
template <class Run>
class FunctionStep final : public Step {
 public:
  FunctionStep(Run run, std::size_t workspace, std::size_t packed)
      : run_(std::move(run)), workspace_(workspace), packed_(packed) {}
  void run(void* const* tensors, void* workspace) const override { run_(tensors, workspace); }
  std::size_t workspace_bytes() const override { return workspace_; }
  std::size_t packed_bytes() const override { return packed_; }

 private:
  Run run_;
  std::size_t workspace_, packed_;
};

template <class Run>
std::unique_ptr<Step> function_step(Run run, std::size_t workspace = 0, std::size_t packed = 0) {
  return std::make_unique<FunctionStep<Run>>(std::move(run), workspace, packed);
}

// The view of a tensor as it is placed, its memory yet to be set.
TensorView placed_view(const TensorType& type, const Placement& placement);

// The axes of x in the order of its memory: 0, 1, 2, .. or, in nhwc, 0, 2, 3, 1.
std::vector<int> memory_order(int rank, const Placement& placement);

inline TensorView at(TensorView view, void* data) {
  view.data = data;
  return view;
}

// Calls body() and refuses the node with the message of an InvalidArgument.
template <class Body>
auto refusing(const NodeArgs& args, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const InvalidArgument& error) {
    args.refuse(error.what());
  }
}

// Attribute `name` as axes of input 0, or all of them where it is absent; refuses repetitions.
std::vector<int> axes_attribute(const NodeArgs& args, const char* name);

}  // namespace pyconv
