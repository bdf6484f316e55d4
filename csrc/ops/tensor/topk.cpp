#include "ops/tensor/topk.h"

#include <algorithm>

#include "ops/tensor/loops.h"

namespace pyconv {

std::size_t top_k_workspace_bytes(const Shape& src, const TopKProblem& problem) {
  return static_cast<std::size_t>(src[problem.axis]) * sizeof(std::int64_t);
}

void top_k(const TopKProblem& problem, const TensorView& src, const TensorView& values,
           const TensorView& indices, void* workspace) {
  const std::int64_t size = src.shape[problem.axis], k = values.shape[problem.axis];
  if (values.shape.elements() == 0) return;
  TensorView starts[3] = {src, values, indices};
  for (TensorView& view : starts) view.shape[problem.axis] = 1;
  const LoopNest<3> nest = loop_nest<3>({&starts[0], &starts[1], &starts[2]});
  const std::int64_t ss = src.strides[problem.axis], sv = values.strides[problem.axis];
  const std::int64_t si = indices.strides[problem.axis];
  std::int64_t* order = static_cast<std::int64_t*>(workspace);
  with_type(src.dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(nest, 1, 1.0, [&](const std::int64_t* at, std::int64_t n) {
      for (std::int64_t row = 0; row < n; ++row) {
        const T* from = src.as<const T>() + at[0] + row * nest.step[0];
        for (std::int64_t i = 0; i < size; ++i) order[i] = i;
        const auto larger = [&](std::int64_t i, std::int64_t j) {
          const T x = from[i * ss], y = from[j * ss];
          return x > y || (x != x && y == y);
        };
        std::partial_sort(order, order + k, order + size, [&](std::int64_t i, std::int64_t j) {
          const bool before = problem.largest ? larger(i, j) : larger(j, i);
          const bool after = problem.largest ? larger(j, i) : larger(i, j);
          return before || (!after && i < j);
        });
        for (std::int64_t i = 0; i < k; ++i) {
          values.as<T>()[at[1] + row * nest.step[1] + i * sv] = from[order[i] * ss];
          indices.as<std::int64_t>()[at[2] + row * nest.step[2] + i * si] = order[i];
        }
      }
    });
  });
}

}  // namespace pyconv
