// What the definitions of operators share.
#pragma once
#include "base/status.h"
#include "net/op_def.h"
#include "ops/types.h"

namespace pyconv {

inline std::unique_ptr<Step> no_step(const StepArgs& args) { args.refuse("cannot be run"); }

// The type of input 0.
std::vector<TensorType> infer_same(const NodeArgs& args);

// Two, or four, values of an attribute, each `least` or more.
struct Pair {
  std::int64_t h, w;
};
struct Sides {
  std::int64_t top, bottom, left, right;
};
Pair pair_attribute(const NodeArgs& args, const char* name, std::int64_t otherwise,
                    std::int64_t least);
Sides sides_attribute(const NodeArgs& args, const char* name, std::int64_t least);

// "activation" and "alpha" of a node that may end in one.
Activation activation_attribute(const NodeArgs& args);
// Likewise to run it: approximate where accuracy is fast.
Activation activation_attribute(const StepArgs& args);

// Images (outer, C, inner) as they lie: inner is 1 in nhwc.
struct ImageSizes {
  std::int64_t images, channels, pixels;
};
inline ImageSizes image_sizes(const Shape& shape) {
  std::int64_t pixels = 1;
  for (int i = 2; i < shape.rank; ++i) pixels *= shape[i];
  return {shape[0], shape[1], pixels};
}

}  // namespace pyconv
