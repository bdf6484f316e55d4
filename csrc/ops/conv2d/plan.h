// Conv2dPlan: a convolution decided and packed once, run many times, by any number of threads.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "ops/conv2d/algorithms.h"

namespace pyconv {

class Conv2dPlan {
 public:
  // weight: dense (oc, ic/g, kh, kw); bias: oc floats or null. Both are copied.
  // Throws InvalidArgument when `algorithm` is unknown or refuses.
  Conv2dPlan(const Conv2dProblem& problem, const Conv2dRequest& request,
             const std::string& algorithm, const float* weight, const float* bias);

  // src and dst dense in the request's layout, not overlapping; `workspace` 64-byte aligned with
  // workspace_bytes() or more.
  void run(const float* src, float* dst, void* workspace) const;

  const Conv2dProblem& problem() const { return problem_; }
  const Conv2dRequest& request() const { return request_; }
  const char* algorithm() const { return algorithm_; }
  std::string kernels() const { return impl_->kernels(); }
  std::size_t workspace_bytes() const { return src_bytes_ + dst_bytes_ + impl_bytes_; }
  std::size_t packed_bytes() const { return impl_->packed_bytes(); }
  int threads() const { return threads_; }  // those that the work is worth, at most the request's

 private:
  Conv2dProblem problem_;
  Conv2dRequest request_;
  const char* algorithm_;
  int threads_;
  std::unique_ptr<Conv2dImpl> impl_;
  std::size_t src_bytes_ = 0, dst_bytes_ = 0, impl_bytes_ = 0;  // staging, then the impl's
  Layout src_layout_ = Layout::nhwc;  // that impl_ reads
};

}  // namespace pyconv
