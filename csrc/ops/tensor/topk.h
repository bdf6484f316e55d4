// The k largest (or smallest) elements along an axis.
#pragma once
#include <cstddef>

#include "ops/tensor/tensor_view.h"

namespace pyconv {

struct TopKProblem {
  int axis = 0;
  bool largest = true;  // in falling order; else the smallest, rising
};

std::size_t top_k_workspace_bytes(const Shape& src, const TopKProblem& problem);

// values (src's dtype) and indices (i64) have src's shape with k <= size elements at `axis`. Of equal
// elements the earlier one comes first; NaN counts as larger than all numbers.
void top_k(const TopKProblem& problem, const TensorView& src, const TensorView& values,
           const TensorView& indices, void* workspace);

}  // namespace pyconv
