// A few rows times packed weights, by the linear family's order `panels`: such a product reads every weight
// once, and so waits for them. The chain of FMAs is that of the gemm family, ending with + 0.0f.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "kernels/linear/linear.h"
#include "ops/packed_weights.h"

namespace pyconv {

// Weight floats that are worth a chunk of their own at small batch: 256 KiB, some 3 us from L3.
constexpr std::int64_t kLinearChunk = 65536;

struct FewRows {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  int rows = 1;  // 1..kLinearRows
  float* y = nullptr;
  std::int64_t y_stride = 0;
  float lo = 0, hi = 0;
};

// The first row of the family of that order, and of that name where there is one, that `cap` allows; or null.
const LinearKernel* find_linear(LinearOrder order, Isa cap, const std::string& name);

// Whether the kernel, of order `panels`, takes these. Panels are cut for the rows of the best ISA; another
// ISA's kernel may not divide them.
bool takes_panels(const LinearKernel& kernel, const std::vector<WeightPanel>& panels);

void multiply_few_rows(const LinearKernel& kernel, const PackedWeights& weights, const FewRows& rows, int threads);

}  // namespace pyconv
