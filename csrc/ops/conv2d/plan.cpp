#include "ops/conv2d/plan.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ops/layout.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Threads that the work is worth: a sleeping worker joins after about 25 us and costs the caller 10
// (docs/decisions/003-thread-pool.md), so each thread should find 45 us, 200,000 cycles.
int worthwhile_threads(double cycles, int threads) {
  return static_cast<int>(std::min<double>(threads, 1.0 + cycles / 200000.0));
}

void explain_dispatch(const Conv2dProblem& problem, const Conv2dRequest& request,
                      const char* chosen, const std::string& kernels) {
  std::string line = "pyconv dispatch " + problem.str() + " -> " + chosen + " [" + kernels + "]";
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    const Verdict verdict = consider_conv2d(algorithm, problem, request);
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
  const Conv2dChoice choice = choose_conv2d(problem_, request_, algorithm);
  algorithm_ = choice.algorithm->name;
  threads_ = worthwhile_threads(choice.verdict.cost, request.threads);
  request_.threads = threads_;
  src_layout_ = choice.verdict.src_layout;
  src_bytes_ = staged_src_bytes(problem_, request.layout, src_layout_);
  dst_bytes_ = staged_dst_bytes(problem_, request.layout, choice.verdict.dst_layout);
  const FpEnvScope fp_env;
  impl_ = choice.algorithm->make(problem_, request_, weight, bias);
  request_.weight = nullptr;
  impl_bytes_ = (impl_->workspace_bytes() + 63) / 64 * 64;
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
  const Isa cap = request_.max_isa;
  if (src_bytes_)
    convert_layout(src, staged_src, src_layout_, p.mb, p.ic, p.ih * p.iw, cap, threads_);
  impl_->run(run);
  if (dst_bytes_)
    convert_layout(staged_dst, dst, request_.layout, p.mb, p.oc, p.oh() * p.ow(), cap, threads_);
}

}  // namespace pyconv
