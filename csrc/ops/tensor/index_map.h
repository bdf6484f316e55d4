// Copies whose every axis goes its own way: element (i, j, ..) of dst is element
// (table_0[i], table_1[j], ..) of src, or a constant where a table says kOutside. Pad, tile, nearest
// resizing and crops are tables.
#pragma once
#include <cstddef>
#include <vector>

#include "ops/tensor/tensor_view.h"

namespace pyconv {

constexpr std::int64_t kOutside = -1;
constexpr std::int64_t kMostIndices = std::int64_t{1} << 28;  // of one axis of dst

enum class EdgeMode : std::uint8_t { constant, reflect, edge, wrap };

// The size of an axis with `before` and `after` elements more, or fewer where they are negative, which
// crops first. Throws InvalidArgument where nothing would be left to read, a crop is too large, or
// more than kMostIndices would come out.
std::int64_t padded_size(std::int64_t size, std::int64_t before, std::int64_t after, EdgeMode mode);
// Where each of them comes from.
std::vector<std::int64_t> pad_table(std::int64_t size, std::int64_t before, std::int64_t after,
                                    EdgeMode mode);

class MappedCopy {
 public:
  // One table per axis of src, of indices 0..size-1 or kOutside; their lengths are dst's shape.
  MappedCopy(const Shape& src, std::vector<std::vector<std::int64_t>> tables, DType dtype);

  const Shape& shape() const { return shape_; }
  // Dense src and dst, not overlapping. `outside`: one element; null: zero.
  void run(const void* src, void* dst, const void* outside, int threads) const;

 private:
  struct Run {
    std::int64_t from, count;  // src offset in elements (kOutside: none), elements of dst
  };
  template <class T>
  void run_rows(const T* src, T* dst, T outside, int threads) const;

  Shape shape_;
  DType dtype_;
  // Without the trailing axes that are copied whole; offsets in elements of src.
  std::vector<std::vector<std::int64_t>> offsets_;
  std::int64_t block_ = 1;   // elements that each offset of the last axis moves
  std::vector<Run> runs_;    // of the last axis
  std::int64_t row_ = 1;     // elements of dst that the runs make
};

}  // namespace pyconv
