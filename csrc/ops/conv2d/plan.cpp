#include "ops/conv2d/plan.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ops/layout.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

std::size_t padded_bytes(std::int64_t floats) {
  return (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
}

// NCHW and NHWC are the same bytes when there is one channel or one pixel.
bool same_in_both(std::int64_t channels, std::int64_t pixels) {
  return channels <= 1 || pixels <= 1;
}

// Threads that the work is worth: a sleeping worker joins after about 25 us and costs the caller 10
// (docs/decisions/003-thread-pool.md), so each thread should find 45 us, 200,000 cycles.
int worthwhile_threads(double cycles, int threads) {
  return static_cast<int>(std::min<double>(threads, 1.0 + cycles / 200000.0));
}

void explain_dispatch(const Conv2dProblem& problem, const Conv2dRequest& request,
                      const char* chosen, const std::string& kernels) {
  std::string line = "pyconv dispatch " + problem.str() + " -> " + chosen + " [" + kernels + "]";
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    const Verdict verdict = algorithm.consider(problem, request);
    char cost[32];
    std::snprintf(cost, sizeof cost, "%.0f cycles", verdict.cost);
    line += std::string("\n  ") + algorithm.name + ": " +
            (verdict.accepted ? cost : "refused, " + verdict.reason);
  }
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace

Conv2dPlan::Conv2dPlan(const Conv2dProblem& problem, const Conv2dRequest& request,
                       const std::string& algorithm, const float* weight, const float* bias)
    : problem_(problem), request_(request) {
  problem_.validate();
  request_.weight = weight;
  const Conv2dAlgorithm& chosen = choose_conv2d(problem_, request_, algorithm);
  algorithm_ = chosen.name;
  threads_ = worthwhile_threads(chosen.consider(problem_, request_).cost, request.threads);
  request_.threads = threads_;
  const FpEnvScope fp_env;
  impl_ = chosen.make(problem_, request_, weight, bias);
  request_.weight = nullptr;
  impl_bytes_ = padded_bytes(static_cast<std::int64_t>(impl_->workspace_bytes() / sizeof(float)));
  if (request.layout == Layout::nchw) {
    if (!impl_->reads_request_layout() && !same_in_both(problem_.ic, problem_.ih * problem_.iw))
      src_bytes_ = padded_bytes(problem_.src_size());
    if (!impl_->writes_request_layout() && !same_in_both(problem_.oc, problem_.oh() * problem_.ow()))
      dst_bytes_ = padded_bytes(problem_.dst_size());
  }
  static const char* verbose = std::getenv("PYCONV_VERBOSE");
  if (verbose && std::strstr(verbose, "dispatch"))
    explain_dispatch(problem_, request_, algorithm_, impl_->kernels());
}

void Conv2dPlan::run(const float* src, float* dst, void* workspace) const {
  const FpEnvScope fp_env;
  const Conv2dProblem& p = problem_;
  char* scratch = static_cast<char*>(workspace);
  float* staged_src = reinterpret_cast<float*>(scratch);
  float* staged_dst = reinterpret_cast<float*>(scratch + src_bytes_);
  Conv2dRun run;
  run.threads = threads_;
  run.workspace = scratch + src_bytes_ + dst_bytes_;
  run.src = src_bytes_ ? staged_src : src;
  run.dst = dst_bytes_ ? staged_dst : dst;
  if (src_bytes_) nchw_to_nhwc(src, staged_src, p.mb, p.ic, p.ih * p.iw, threads_);
  impl_->run(run);
  if (dst_bytes_) nhwc_to_nchw(staged_dst, dst, p.mb, p.oc, p.oh() * p.ow(), threads_);
}

}  // namespace pyconv
