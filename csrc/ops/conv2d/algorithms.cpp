#include "ops/conv2d/algorithms.h"

#include "base/status.h"

namespace pyconv {

// One line per algorithm: its file beside this one defines consider_NAME and make_NAME.
#define PYCONV_CONV2D_ALGORITHMS(X) \
  X(pointwise)                      \
  X(depthwise)                      \
  X(direct)                         \
  X(implicit_gemm)                  \
  X(im2col)                         \
  X(reference)

#define X(name)                                                                      \
  Verdict consider_##name(const Conv2dProblem&, const Conv2dRequest&);               \
  std::unique_ptr<Conv2dImpl> make_##name(const Conv2dProblem&, const Conv2dRequest&, \
                                          const float*, const float*);
PYCONV_CONV2D_ALGORITHMS(X)
#undef X

const std::vector<Conv2dAlgorithm>& conv2d_algorithms() {
#define X(name) {#name, consider_##name, make_##name},
  static const std::vector<Conv2dAlgorithm> list = {PYCONV_CONV2D_ALGORITHMS(X)};
#undef X
  return list;
}

namespace {

const Conv2dAlgorithm& named_algorithm(const Conv2dProblem& problem, const Conv2dRequest& request,
                                       const std::string& name) {
  std::string names = "auto";
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    names += std::string(", ") + algorithm.name;
    if (name != algorithm.name) continue;
    const Verdict verdict = algorithm.consider(problem, request);
    if (verdict.accepted) return algorithm;
    throw InvalidArgument("algorithm: " + name + " refuses " + problem.str() + ": " +
                          verdict.reason);
  }
  throw InvalidArgument("algorithm: expected one of " + names + ", got '" + name + "'");
}

}  // namespace

const Conv2dAlgorithm& choose_conv2d(const Conv2dProblem& problem, const Conv2dRequest& request,
                                     const std::string& name) {
  if (name != "auto") return named_algorithm(problem, request, name);
  const Conv2dAlgorithm* best = nullptr;
  double best_cost = 0.0;
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    const Verdict verdict = algorithm.consider(problem, request);
    if (!verdict.accepted || (best && verdict.cost >= best_cost)) continue;
    best = &algorithm;
    best_cost = verdict.cost;
  }
  if (!best)
    throw InvalidArgument("kernel: no algorithm takes " + problem.str() + " with kernel '" +
                          request.kernel + "'");
  return *best;
}

}  // namespace pyconv
