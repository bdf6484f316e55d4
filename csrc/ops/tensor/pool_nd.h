// Pooling of images of one to six dimensions, with padding on each side, dilation, and the positions
// of maxima: what ops/pool.h, which is for two dimensions and fast, does not take. Taps are visited in
// row-major order; sums are one chain of additions.
//
//     max   the largest tap, NaN where one is
//     avg   sum / taps; taps in the padding are zeros that count when include_pad
//     lp    (sum |x|^p)^(1/p)
#pragma once
#include "base/cpu.h"
#include "ops/tensor/tensor_view.h"

namespace pyconv {

enum class PoolNdKind : std::uint8_t { max, avg, lp };

struct PoolNdAxis {
  std::int64_t size = 1, kernel = 1, stride = 1, dilation = 1, before = 0, after = 0;
  bool ceil_mode = false;

  // floor (ceil) of (size + before + after - dilated kernel) / stride, plus 1; with ceil_mode less
  // the last window where that would start beyond the image and the padding before it.
  std::int64_t out() const;
};

struct PoolNdProblem {
  PoolNdKind kind = PoolNdKind::max;
  DType dtype = DType::f32;  // max: any; the rest: f32
  std::int64_t planes = 1;   // images times channels
  int rank = 0;
  PoolNdAxis axes[kMaxRank];
  bool include_pad = false;
  double p = 2;
  bool column_major = false;  // positions count the first axis fastest

  // Throws InvalidArgument, naming the argument.
  void validate() const;
};

// Dense src and dst. positions: null, or i64 like dst, of max: the tap's index within all of src.
void pool_nd(const PoolNdProblem& problem, const void* src, void* dst, std::int64_t* positions,
             Isa cap, int threads);

}  // namespace pyconv
