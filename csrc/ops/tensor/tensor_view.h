// A tensor of up to eight dimensions, seen through strides. Operators of csrc/ops/tensor take these
// views: broadcasting is a stride of 0, transposing and slicing are other strides.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "ops/types.h"

namespace pyconv {

constexpr int kMaxRank = 8;

struct Shape {
  int rank = 0;
  std::int64_t dims[kMaxRank] = {};

  Shape() = default;
  // Throws InvalidArgument beyond kMaxRank dimensions.
  Shape(std::initializer_list<std::int64_t> sizes);

  std::int64_t& operator[](int axis) { return dims[axis]; }
  std::int64_t operator[](int axis) const { return dims[axis]; }
  std::int64_t elements() const;  // 1 for rank 0; defined after need_shape
  std::string text() const;       // "(2, 3)", "(5,)", "()"
};

bool operator==(const Shape& a, const Shape& b);
inline bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

// Throws InvalidArgument unless the rank is 0..kMaxRank, no dimension is negative or passes 2^40,
// and elements() does not pass 2^58.
void need_shape(const char* argument, const Shape& shape);

// numpy's broadcast of two shapes; throws InvalidArgument where they do not fit.
Shape broadcast_shape(const Shape& a, const Shape& b);

// The axis counted from the front: -1 is the last. Throws unless -rank <= axis < rank.
int need_axis(const char* argument, std::int64_t axis, int rank);

// Never owns. Strides are in elements, may be 0 (broadcast) or negative (reversed).
struct TensorView {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  std::int64_t strides[kMaxRank] = {};

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  bool is_dense() const;  // row-major without gaps; dimensions of 1 may have any stride
};

// Row-major strides.
TensorView dense_view(const void* data, DType dtype, const Shape& shape);

// The view with `shape`'s dimensions, which its own must broadcast to: missing and size-1
// dimensions get stride 0.
TensorView broadcast_view(const TensorView& view, const Shape& shape);

// Axis i of the result is axis axes[i] of `view`.
TensorView permuted_view(const TensorView& view, const int* axes);

}  // namespace pyconv
