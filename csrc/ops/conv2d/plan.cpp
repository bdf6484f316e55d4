#include "ops/conv2d/plan.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/status.h"
#include "ops/extents.h"
#include "ops/layout.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

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

namespace {

const Conv2dProblem& validated(const Conv2dProblem& problem, const Conv2dRequest& request) {
  problem.validate();
  check_pixel_strides(problem, request);
  return problem;
}

Conv2dRequest with_weight(Conv2dRequest request, const float* weight) {
  request.weight = weight;
  return request;
}

}  // namespace

Conv2dPlan::Conv2dPlan(const Conv2dProblem& problem, const Conv2dRequest& request,
                       const std::string& algorithm, const float* weight, const float* bias)
    : Conv2dPlan(validated(problem, request), request,
                 choose_conv2d(problem, with_weight(request, weight), algorithm), weight, bias) {}

Conv2dPlan::Conv2dPlan(const Conv2dProblem& problem, const Conv2dRequest& request,
                       const Conv2dChoice& choice, const float* weight, const float* bias)
    : problem_(problem), request_(with_weight(request, weight)),
      algorithm_(choice.algorithm->name),
      threads_(threads_for(choice.verdict.cost, request.threads)),
      src_layout_(choice.verdict.src_layout), dst_layout_(choice.verdict.dst_layout),
      staged_(problem, request, src_layout_, dst_layout_) {
  request_.threads = threads_;
  const FpEnvScope fp_env;
  impl_ = choice.algorithm->make(problem_, request_, weight, bias);
  request_.weight = nullptr;
  impl_bytes_ = (impl_->workspace_bytes() + 63) / 64 * 64;
  static const char* verbose = std::getenv("PYCONV_VERBOSE");
  if (verbose && std::strstr(verbose, "dispatch"))
    explain_dispatch(problem_, request_, algorithm_, impl_->kernels());
}

void Conv2dPlan::run(const float* src, float* dst, void* workspace, const float* residual) const {
  if (residual && !request_.residual)
    throw InvalidArgument("residual: the plan was made without one");
  const FpEnvScope fp_env;
  const Conv2dProblem& p = problem_;
  const Isa cap = request_.max_isa;
  const std::int64_t in = p.ih * p.iw, out = p.oh() * p.ow();
  char* scratch = static_cast<char*>(workspace);
  Conv2dRun run;
  run.threads = threads_;
  run.src = src;
  run.dst = dst;
  run.residual = residual;
  if (staged_.src) {
    float* copy = reinterpret_cast<float*>(scratch);
    convert_layout(src, copy, src_layout_, p.mb, p.ic, in, request_.src_pixel, cap, threads_);
    run.src = copy;
  }
  scratch += staged_.src;
  if (staged_.dst) run.dst = reinterpret_cast<float*>(scratch);
  scratch += staged_.dst;
  if (residual && staged_.residual) {
    float* copy = reinterpret_cast<float*>(scratch);
    convert_layout(residual, copy, dst_layout_, p.mb, p.oc, out, request_.residual_pixel, cap,
                   threads_);
    run.residual = copy;
  }
  run.workspace = scratch + staged_.residual;
  impl_->run(run);
  if (staged_.dst)
    convert_layout(run.dst, dst, request_.dst_layout, p.mb, p.oc, out, request_.dst_pixel, cap,
                   threads_);
}

}  // namespace pyconv
