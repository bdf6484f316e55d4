// Depthwise convolution by groups of output rows, for plans that run it between its neighbours.
#pragma once
#include <memory>

#include "ops/conv2d/algorithms.h"

namespace pyconv {

struct RowRange {
  std::int64_t first, last;  // [first, last)
};

class DepthwiseRows {
 public:
  virtual ~DepthwiseRows() = default;
  virtual std::int64_t groups() const = 0;
  virtual RowRange rows(std::int64_t group) const = 0;  // output rows
  // src_rows[y] is row y of one image, for the rows that the group's filters reach; dst is where its
  // first output row goes.
  virtual void run_rows(const float* const* src_rows, std::int64_t group, float* dst) const = 0;
  virtual std::size_t bytes() const = 0;
  virtual const char* kernel() const = 0;
};

// Only for undilated problems of one channel per group, which consider_depthwise accepts; src_pixel and
// dst_pixel of the request count, its residual does not. tallest: output rows of a group, at most.
std::unique_ptr<DepthwiseRows> make_depthwise_rows(const Conv2dProblem& problem,
                                                   const Conv2dRequest& request, const float* weight,
                                                   const float* bias, std::int64_t tallest);

}  // namespace pyconv
