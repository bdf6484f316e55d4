// Walking several strided views of one shape together: axes are joined where every view allows it,
// the last one becomes a run of n elements with one step per view, the others count rows.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/thread_pool.h"
#include "ops/extents.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

template <int N>
struct LoopNest {
  int rank = 0;  // of the rows
  std::int64_t dims[kMaxRank] = {};
  std::int64_t strides[N][kMaxRank] = {};
  std::int64_t rows = 1, n = 1;
  std::int64_t step[N];
};

// The views have the same shape. Axes keep their order.
template <int N>
LoopNest<N> loop_nest(const TensorView* const (&views)[N]) {
  LoopNest<N> nest;
  const Shape& shape = views[0]->shape;
  int rank = 0;
  for (int i = 0; i < shape.rank; ++i) {
    if (shape[i] == 1) continue;
    bool joins = rank > 0;
    for (int v = 0; joins && v < N; ++v)
      joins = nest.strides[v][rank - 1] == views[v]->strides[i] * shape[i];
    if (!joins) nest.dims[rank++] = 1;
    nest.dims[rank - 1] *= shape[i];
    for (int v = 0; v < N; ++v) nest.strides[v][rank - 1] = views[v]->strides[i];
  }
  std::fill(nest.step, nest.step + N, 1);
  if (rank > 0) {
    nest.n = nest.dims[--rank];
    for (int v = 0; v < N; ++v) nest.step[v] = nest.strides[v][rank];
  }
  nest.rank = rank;
  for (int i = 0; i < rank; ++i) nest.rows *= nest.dims[i];
  return nest;
}

// The offsets of a row of the nest, and of the rows after it.
template <int N>
class RowWalk {
 public:
  RowWalk(const LoopNest<N>& nest, std::int64_t row) : nest_(nest) {
    for (int i = nest.rank - 1; i >= 0; --i) {
      index_[i] = row % nest.dims[i];
      row /= nest.dims[i];
      for (int v = 0; v < N; ++v) at[v] += index_[i] * nest.strides[v][i];
    }
  }
  void next() {
    for (int i = nest_.rank - 1; i >= 0; --i) {
      const bool carry = ++index_[i] == nest_.dims[i];
      for (int v = 0; v < N; ++v)
        at[v] += carry ? (1 - nest_.dims[i]) * nest_.strides[v][i] : nest_.strides[v][i];
      if (!carry) return;
      index_[i] = 0;
    }
  }
  std::int64_t at[N] = {};  // elements from the start of each view

 private:
  const LoopNest<N>& nest_;
  std::int64_t index_[kMaxRank] = {};
};

// body(at, n): n elements from the offsets at[0..N), on up to `threads` threads; `cycles` is what an
// element costs.
template <int N, class Body>
void for_rows(const LoopNest<N>& nest, int threads, double cycles, const Body& body) {
  constexpr std::int64_t kChunk = 1 << 13;  // elements
  const std::int64_t all = nest.rows * nest.n;
  if (all == 0) return;
  threads = threads_for(static_cast<double>(all) * cycles, threads);
  const std::int64_t part = threads == 1 ? nest.n : std::min(nest.n, kChunk);
  const std::int64_t parts = (nest.n + part - 1) / part;
  const std::int64_t group = threads == 1 ? nest.rows : std::max<std::int64_t>(1, kChunk / nest.n);
  const std::int64_t groups = (nest.rows + group - 1) / group;
  parallel_for(groups * parts, threads, [&](std::int64_t index, int) {
    const std::int64_t first = index / parts * group, skip = index % parts * part;
    const std::int64_t count = std::min(part, nest.n - skip);
    RowWalk<N> walk(nest, first);
    for (int v = 0; v < N; ++v) walk.at[v] += skip * nest.step[v];
    const std::int64_t last = std::min(nest.rows, first + group);
    for (std::int64_t row = first; row < last; ++row, walk.next()) body(walk.at, count);
  });
}

// call(T{}) with the C++ type of the dtype's elements; boolean is std::uint8_t.
template <class Call>
void with_type(DType dtype, const Call& call) {
  switch (dtype) {
    case DType::f32: return call(float{});
    case DType::i64: return call(std::int64_t{});
    case DType::i32: return call(std::int32_t{});
    case DType::i8: return call(std::int8_t{});
    case DType::u8:
    case DType::boolean: return call(std::uint8_t{});
  }
}

// call(T{}) with an unsigned type of the dtype's size, for moving elements.
template <class Call>
void with_size(DType dtype, const Call& call) {
  switch (dtype_size(dtype)) {
    case 8: return call(std::uint64_t{});
    case 4: return call(std::uint32_t{});
    default: return call(std::uint8_t{});
  }
}

}  // namespace pyconv
