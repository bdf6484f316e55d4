#include "ops/conv2d/algorithms.h"

#include "base/status.h"

namespace pyconv {

// One line per algorithm: its file beside this one defines consider_NAME and make_NAME.
#define PYCONV_CONV2D_ALGORITHMS(X) \
  X(pointwise)                      \
  X(depthwise)                      \
  X(grouped)                        \
  X(direct)                         \
  X(planar)                         \
  X(winograd_f4)                    \
  X(winograd_f2)                    \
  X(winograd_f6)                    \
  X(implicit_gemm)                  \
  X(im2col)                         \
  X(reference)
// Those that approximate the weights, not only the arithmetic: auto passes them by.
#define PYCONV_CONV2D_ONLY_WHEN_FORCED(X) X(separable)

#define X(name)                                                                      \
  Verdict consider_##name(const Conv2dProblem&, const Conv2dRequest&);               \
  std::unique_ptr<Conv2dImpl> make_##name(const Conv2dProblem&, const Conv2dRequest&, \
                                          const float*, const float*);
PYCONV_CONV2D_ALGORITHMS(X)
PYCONV_CONV2D_ONLY_WHEN_FORCED(X)
#undef X

const std::vector<Conv2dAlgorithm>& conv2d_algorithms() {
  static const std::vector<Conv2dAlgorithm> list = {
#define X(name) {#name, consider_##name, make_##name, false},
      PYCONV_CONV2D_ALGORITHMS(X)
#undef X
#define X(name) {#name, consider_##name, make_##name, true},
      PYCONV_CONV2D_ONLY_WHEN_FORCED(X)
#undef X
  };
  return list;
}

namespace {

// A transposition moves a float in about a quarter of a cycle when it streams from L2 or L3.
constexpr double kConversionCyclesPerByte = 0.25 / sizeof(float);

std::size_t staged_bytes(std::int64_t floats, std::int64_t channels, Layout request,
                         Layout wanted) {
  if (request == wanted || channels <= 1 || floats <= channels) return 0;
  return (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
}

}  // namespace

double conversion_cycles(std::size_t bytes) {
  return static_cast<double>(bytes) * kConversionCyclesPerByte;
}

std::size_t staged_src_bytes(const Conv2dProblem& p, Layout request, Layout wanted) {
  return p.ih * p.iw == 1 ? 0 : staged_bytes(p.src_size(), p.ic, request, wanted);
}

std::size_t staged_dst_bytes(const Conv2dProblem& p, Layout request, Layout wanted) {
  return p.oh() * p.ow() == 1 ? 0 : staged_bytes(p.dst_size(), p.oc, request, wanted);
}

Verdict consider_conv2d(const Conv2dAlgorithm& algorithm, const Conv2dProblem& p,
                        const Conv2dRequest& request) {
  Verdict verdict = algorithm.consider(p, request);
  if (!verdict.accepted) return verdict;
  const std::size_t staged = staged_src_bytes(p, request.layout, verdict.src_layout) +
                             staged_dst_bytes(p, request.layout, verdict.dst_layout);
  verdict.cost += conversion_cycles(staged);
  verdict.workspace_bytes = (verdict.workspace_bytes + 63) / 64 * 64 + staged;
  return verdict;
}

namespace {

Conv2dChoice named_algorithm(const Conv2dProblem& problem, const Conv2dRequest& request,
                                       const std::string& name) {
  std::string names = "auto";
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    names += std::string(", ") + algorithm.name;
    if (name != algorithm.name) continue;
    Verdict verdict = consider_conv2d(algorithm, problem, request);
    if (verdict.accepted) return {&algorithm, std::move(verdict)};
    throw InvalidArgument("algorithm: " + name + " refuses " + problem.str() + ": " +
                          verdict.reason);
  }
  throw InvalidArgument("algorithm: expected one of " + names + ", got '" + name + "'");
}

}  // namespace

namespace {

// The last choices of this thread: one-shot calls on one shape decide once. Only what a choice
// depends on is compared; values of weights never decide what "auto" picks.
class RecentChoices {
 public:
  const Conv2dChoice* find(const Conv2dProblem& problem, const Conv2dRequest& request) const {
    for (const Entry& entry : entries_)
      if (entry.choice.algorithm && entry.problem == problem && alike(entry, request))
        return &entry.choice;
    return nullptr;
  }
  void remember(const Conv2dProblem& problem, const Conv2dRequest& request,
                const Conv2dChoice& choice) {
    entries_[next_] = {problem, request.accuracy, request.layout, request.max_isa,
                       request.threads, choice};
    next_ = (next_ + 1) % kEntries;
  }

 private:
  static constexpr std::size_t kEntries = 8;
  struct Entry {
    Conv2dProblem problem;
    Accuracy accuracy = Accuracy::fast;
    Layout layout = Layout::nchw;
    Isa max_isa = Isa::scalar;
    int threads = 1;
    Conv2dChoice choice{nullptr, {}};
  };
  static bool alike(const Entry& entry, const Conv2dRequest& request) {
    return entry.accuracy == request.accuracy && entry.layout == request.layout &&
           entry.max_isa == request.max_isa && entry.threads == request.threads;
  }
  Entry entries_[kEntries];
  std::size_t next_ = 0;
};

Conv2dChoice cheapest(const Conv2dProblem& problem, const Conv2dRequest& request) {
  Conv2dChoice best{nullptr, {}};
  Conv2dRequest bounded = request;
  for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
    if (algorithm.only_when_forced) continue;
    Verdict verdict = consider_conv2d(algorithm, problem, bounded);
    if (!verdict.accepted || verdict.cost >= bounded.enough) continue;
    bounded.enough = verdict.cost;
    best = {&algorithm, std::move(verdict)};
  }
  if (!best.algorithm)
    throw InvalidArgument("kernel: no algorithm takes " + problem.str() + " with kernel '" +
                          request.kernel + "'");
  return best;
}

}  // namespace

Conv2dChoice choose_conv2d(const Conv2dProblem& problem, const Conv2dRequest& request,
                           const std::string& name) {
  if (name != "auto") return named_algorithm(problem, request, name);
  if (!request.kernel.empty()) return cheapest(problem, request);
  static thread_local RecentChoices recent;
  if (const Conv2dChoice* known = recent.find(problem, request)) return *known;
  Conv2dChoice choice = cheapest(problem, request);
  recent.remember(problem, request, choice);
  return choice;
}

}  // namespace pyconv
