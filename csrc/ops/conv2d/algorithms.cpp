#include "ops/conv2d/algorithms.h"

#include <array>

#include "base/status.h"
#include "ops/activation.h"
#include "ops/extents.h"

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

// `images` of `pixels` x `channels`; `stride`: the request's, 0 when dense.
std::size_t staged_bytes(std::int64_t images, std::int64_t pixels, std::int64_t channels,
                         std::int64_t stride, Layout request, Layout wanted) {
  const bool dense = stride == 0 || stride == channels;
  if (request == wanted || (dense && (channels <= 1 || pixels <= 1))) return 0;
  return (static_cast<std::size_t>(images * pixels * channels) * sizeof(float) + 63) / 64 * 64;
}

void check_stride(const char* name, std::int64_t stride, std::int64_t images, std::int64_t pixels,
                  std::int64_t channels, Layout layout) {
  if (stride == 0) return;
  if (layout != Layout::nhwc)
    throw InvalidArgument(std::string(name) + ": pixel strides are for layout 'nhwc'");
  need_extent(name, stride, channels);
  need_elements(name, {images, pixels, stride});
}

}  // namespace

double conversion_cycles(std::size_t bytes) {
  return static_cast<double>(bytes) * kConversionCyclesPerByte;
}

StagedBytes::StagedBytes(const Conv2dProblem& p, const Conv2dRequest& request, Layout src_layout,
                         Layout dst_layout)
    : src(staged_bytes(p.mb, p.ih * p.iw, p.ic, request.src_pixel, request.src_layout,
                       src_layout)),
      dst(staged_bytes(p.mb, p.oh() * p.ow(), p.oc, request.dst_pixel, request.dst_layout,
                       dst_layout)),
      residual(request.residual
                   ? staged_bytes(p.mb, p.oh() * p.ow(), p.oc, request.residual_pixel,
                                  request.dst_layout, dst_layout)
                   : 0) {}

void check_pixel_strides(const Conv2dProblem& p, const Conv2dRequest& request) {
  const std::int64_t pixels = p.oh() * p.ow();
  check_stride("src_pixel", request.src_pixel, p.mb, p.ih * p.iw, p.ic, request.src_layout);
  check_stride("dst_pixel", request.dst_pixel, p.mb, pixels, p.oc, request.dst_layout);
  check_stride("residual_pixel", request.residual_pixel, p.mb, pixels, p.oc, request.dst_layout);
}

Verdict consider_conv2d(const Conv2dAlgorithm& algorithm, const Conv2dProblem& p,
                        const Conv2dRequest& request) {
  Verdict verdict = algorithm.consider(p, request);
  if (!verdict.accepted) return verdict;
  const std::size_t staged =
      StagedBytes(p, request, verdict.src_layout, verdict.dst_layout).sum();
  verdict.cost += conversion_cycles(staged) + activation_cycles(request.activation, request.max_isa, p.dst_size());
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
    const Asked wanted = asked(request);
    for (const Entry& entry : entries_)
      if (entry.choice.algorithm && entry.asked == wanted && entry.problem == problem)
        return &entry.choice;
    return nullptr;
  }
  void remember(const Conv2dProblem& problem, const Conv2dRequest& request,
                const Conv2dChoice& choice) {
    entries_[next_] = {problem, asked(request), choice};
    next_ = (next_ + 1) % kEntries;
  }

 private:
  static constexpr std::size_t kEntries = 8;
  using Asked = std::array<std::int64_t, 10>;
  struct Entry {
    Conv2dProblem problem;
    Asked asked{};
    Conv2dChoice choice{nullptr, {}};
  };
  static Asked asked(const Conv2dRequest& r) {
    return {static_cast<std::int64_t>(r.accuracy),   static_cast<std::int64_t>(r.src_layout),
            static_cast<std::int64_t>(r.dst_layout), static_cast<std::int64_t>(r.max_isa),
            r.threads, r.src_pixel, r.dst_pixel, r.residual_pixel, r.residual, r.one_shot};
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
