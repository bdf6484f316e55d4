#include "ops/tensor/tensor_view.h"

#include <algorithm>

#include "base/status.h"
#include "ops/extents.h"

namespace pyconv {

Shape::Shape(std::initializer_list<std::int64_t> sizes) {
  if (sizes.size() > static_cast<std::size_t>(kMaxRank))
    throw InvalidArgument("shape: expected at most 8 dimensions, got " +
                          std::to_string(sizes.size()));
  for (const std::int64_t size : sizes) dims[rank++] = size;
}

std::int64_t Shape::elements() const {
  if (std::find(dims, dims + rank, 0) != dims + rank) return 0;
  std::int64_t product = 1;
  for (int i = 0; i < rank; ++i) product *= dims[i];
  return product;
}

std::string Shape::text() const {
  std::string out = "(";
  for (int i = 0; i < rank; ++i) out += (i ? ", " : "") + std::to_string(dims[i]);
  return out + (rank == 1 ? ",)" : ")");
}

bool operator==(const Shape& a, const Shape& b) {
  return a.rank == b.rank && std::equal(a.dims, a.dims + a.rank, b.dims);
}

void need_shape(const char* argument, const Shape& shape) {
  if (shape.rank < 0 || shape.rank > kMaxRank)
    throw InvalidArgument(std::string(argument) + ": expected at most 8 dimensions, got " +
                          std::to_string(shape.rank));
  for (int i = 0; i < shape.rank; ++i) need_extent(argument, shape[i], 0);
  if (std::find(shape.dims, shape.dims + shape.rank, 0) != shape.dims + shape.rank) return;
  std::int64_t product = 1;
  for (int i = 0; i < shape.rank; ++i) {
    need_elements(argument, {product, shape[i]});
    product *= shape[i];
  }
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
  Shape out;
  out.rank = std::max(a.rank, b.rank);
  for (int i = 0; i < out.rank; ++i) {
    const int at_a = i - (out.rank - a.rank), at_b = i - (out.rank - b.rank);
    const std::int64_t size_a = at_a < 0 ? 1 : a[at_a], size_b = at_b < 0 ? 1 : b[at_b];
    if (size_a != size_b && size_a != 1 && size_b != 1)
      throw InvalidArgument("shape: expected shapes that broadcast together, got " + a.text() +
                            " and " + b.text());
    out[i] = size_a == 1 ? size_b : size_a;
  }
  return out;
}

int need_axis(const char* argument, std::int64_t axis, int rank) {
  if (axis >= -rank && axis < rank) return static_cast<int>(axis < 0 ? axis + rank : axis);
  throw InvalidArgument(std::string(argument) + ": expected an axis of a tensor of " +
                        std::to_string(rank) + " dimensions, got " + std::to_string(axis));
}

bool TensorView::is_dense() const {
  if (shape.elements() == 0) return true;
  std::int64_t expected = 1;
  for (int i = shape.rank - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

TensorView dense_view(const void* data, DType dtype, const Shape& shape) {
  TensorView view;
  view.data = const_cast<void*>(data);
  view.dtype = dtype;
  view.shape = shape;
  std::int64_t stride = 1;
  for (int i = shape.rank - 1; i >= 0; --i) {
    view.strides[i] = stride;
    stride *= std::max<std::int64_t>(shape[i], 1);
  }
  return view;
}

TensorView broadcast_view(const TensorView& view, const Shape& shape) {
  TensorView out = view;
  out.shape = shape;
  const int missing = shape.rank - view.shape.rank;
  bool fits = missing >= 0;
  for (int i = 0; fits && i < shape.rank; ++i) {
    const std::int64_t size = i < missing ? 1 : view.shape[i - missing];
    fits = size == shape[i] || size == 1;
    out.strides[i] = size == 1 ? 0 : view.strides[i - missing];
  }
  if (fits) return out;
  throw InvalidArgument("shape: expected a shape that broadcasts to " + shape.text() + ", got " +
                        view.shape.text());
}

TensorView permuted_view(const TensorView& view, const int* axes) {
  TensorView out = view;
  for (int i = 0; i < view.shape.rank; ++i) {
    out.shape[i] = view.shape[axes[i]];
    out.strides[i] = view.strides[axes[i]];
  }
  return out;
}

}  // namespace pyconv
