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

  // src, dst and residual lie as the request says; dst overlaps neither, but may be
  // the residual where residual_in_place(). `workspace`: 64-byte aligned,
  // workspace_bytes() or more. residual: null unless the request announced one.
  void run(const float* src, float* dst, void* workspace, const float* residual = nullptr) const;

  const Conv2dProblem& problem() const { return problem_; }
  const Conv2dRequest& request() const { return request_; }
  const char* algorithm() const { return algorithm_; }
  std::string kernels() const { return impl_->kernels(); }
  std::size_t workspace_bytes() const { return staged_.sum() + impl_bytes_; }
  std::size_t packed_bytes() const { return impl_->packed_bytes(); }
  // Whether residual may be dst, with the same pixel stride.
  bool residual_in_place() const { return staged_.dst + staged_.residual == 0 && impl_->residual_in_place(); }
  int threads() const { return threads_; }  // those that the work is worth, at most the request's

 private:
  Conv2dPlan(const Conv2dProblem& problem, const Conv2dRequest& request,
             const Conv2dChoice& choice, const float* weight, const float* bias);

  Conv2dProblem problem_;
  Conv2dRequest request_;
  const char* algorithm_;
  int threads_;
  std::unique_ptr<Conv2dImpl> impl_;
  Layout src_layout_, dst_layout_;  // those of impl_
  StagedBytes staged_;              // of the workspace; then the impl's
  std::size_t impl_bytes_ = 0;
};

}  // namespace pyconv
