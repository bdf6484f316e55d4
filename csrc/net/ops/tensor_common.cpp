#include "net/ops/tensor_common.h"

#include <algorithm>

namespace pyconv {

TensorView placed_view(const TensorType& type, const Placement& placement) {
  TensorView view = dense_view(nullptr, type.dtype, type.shape);
  if (placement.layout == Layout::nchw) return view;
  const Shape& s = type.shape;
  const std::int64_t pixel = placement.pixel ? placement.pixel : s[1];
  view.strides[0] = s[2] * s[3] * pixel;
  view.strides[1] = 1;
  view.strides[2] = s[3] * pixel;
  view.strides[3] = pixel;
  return view;
}

std::vector<int> memory_order(int rank, const Placement& placement) {
  if (placement.layout == Layout::nhwc) return {0, 2, 3, 1};
  std::vector<int> axes;
  for (int i = 0; i < rank; ++i) axes.push_back(i);
  return axes;
}

std::vector<int> axes_attribute(const NodeArgs& args, const char* name) {
  const int rank = args.shape(0).rank;
  std::vector<int> axes;
  if (!args.attributes().find(name)) {
    for (int i = 0; i < rank; ++i) axes.push_back(i);
    return axes;
  }
  for (const std::int64_t given : args.attributes().integers(name, {})) {
    const int axis = refusing(args, [&] { return need_axis(name, given, rank); });
    if (std::find(axes.begin(), axes.end(), axis) != axes.end())
      args.refuse(std::string(name) + ": expected each axis once, got " + std::to_string(given) +
                  " again");
    axes.push_back(axis);
  }
  return axes;
}

}  // namespace pyconv
