// A convolution whose weights are, to a tolerance, a column pass followed by a row pass:
//
//   depthwise   w[q](r, s) = column[q](r) * row[q](s): two depthwise passes
//   dense       w(ic, r, s, oc) = sum over i < R of first[i](ic, r) * second[i](s, oc): ic -> R
//               channels by kh x 1, then R -> oc by 1 x kw (Jaderberg, Vedaldi and Zisserman,
//               "Speeding up convolutional neural networks with low rank expansions",
//               arXiv:1405.3866, scheme 2; the rank from the SVD of the (ic*kh) x (kw*oc) unfolding)
//
// Each pass runs the cheapest of the other algorithms; the rows between lie in the workspace.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "ops/conv2d/algorithms.h"
#include "ops/low_rank.h"

namespace pyconv {

namespace {

// Tolerance 0 means as good as fp32: rounding every weight moves their norm by 2^-24 at most.
constexpr double kLeastTolerance = 0x1p-23;

struct Pass {
  Conv2dProblem problem;
  Conv2dRequest request;
  std::vector<float> weight;
  const Conv2dAlgorithm* algorithm = nullptr;
  Verdict verdict;

  // The cheapest algorithm that reads and writes the layouts of the request.
  bool choose() {
    for (const Conv2dAlgorithm& candidate : conv2d_algorithms()) {
      if (candidate.only_when_forced) continue;
      Verdict said = candidate.consider(problem, request);
      if (!said.accepted || said.src_layout != request.src_layout ||
          said.dst_layout != request.dst_layout)
        continue;
      if (algorithm && said.cost >= verdict.cost) continue;
      algorithm = &candidate;
      verdict = std::move(said);
    }
    return algorithm != nullptr;
  }
};

// The column pass takes the vertical sizes of p, the row pass the horizontal ones.
struct TwoPasses {
  Pass column, row;
  std::string refusal;  // empty: the passes stand

  TwoPasses(const Conv2dProblem& p, std::int64_t between, const Conv2dRequest& request) {
    Conv2dProblem& c = column.problem;
    c = p;
    c.oc = between;
    c.kw = c.sw = c.dw = 1;
    c.pl = c.pr = 0;
    Conv2dProblem& r = row.problem;
    r = p;
    r.ic = between;
    r.ih = c.oh();
    r.kh = r.sh = r.dh = 1;
    r.pt = r.pb = 0;
    if (p.depthwise()) r.g = between;
    column.request = row.request = request;
    column.request.activation = Activation();
    column.request.residual = false;
    column.request.weight = row.request.weight = nullptr;
  }

  // Both passes in one layout. Copies that the plan makes, and the rows between, are dense.
  bool choose(const Conv2dRequest& request, Layout layout) {
    Conv2dRequest &c = column.request, &r = row.request;
    c.src_layout = c.dst_layout = r.src_layout = r.dst_layout = layout;
    c.src_pixel = layout == request.src_layout ? request.src_pixel : 0;
    c.dst_pixel = c.residual_pixel = r.src_pixel = 0;
    r.dst_pixel = layout == request.dst_layout ? request.dst_pixel : 0;
    r.residual_pixel = layout == request.dst_layout ? request.residual_pixel : 0;
    column.algorithm = row.algorithm = nullptr;
    return column.choose() && row.choose();
  }
  double cost() const { return column.verdict.cost + row.verdict.cost; }
  std::size_t between_bytes() const {
    return (static_cast<std::size_t>(row.problem.src_size()) * sizeof(float) + 63) / 64 * 64;
  }
};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

void append(std::vector<float>& to, const std::vector<double>& from) {
  for (const double value : from) to.push_back(static_cast<float>(value));
}

bool factor_depthwise(const Conv2dProblem& p, const float* weight, double tolerance,
                      TwoPasses& passes) {
  for (std::int64_t q = 0; q < p.oc; ++q) {
    const std::vector<double> filter(weight + q * p.taps(), weight + (q + 1) * p.taps());
    const LowRank factors = low_rank(filter.data(), p.kh, p.kw, tolerance, 1);
    if (!factors.found) {
      passes.refusal = "the filter of channel " + std::to_string(q) +
                       " is no column times a row at tolerance " + number(tolerance);
      return false;
    }
    append(passes.column.weight, factors.left);
    append(passes.row.weight, factors.right);
  }
  return true;
}

// The greatest R whose two passes take no more multiply-adds than the dense filter.
std::int64_t most_useful_rank(const Conv2dProblem& p) {
  const double column = static_cast<double>(p.ic * p.kh) * static_cast<double>(p.iw);
  const double row = static_cast<double>(p.oc * p.kw) * static_cast<double>(p.ow());
  const double dense = static_cast<double>(p.oc * p.depth()) * static_cast<double>(p.ow());
  return static_cast<std::int64_t>(dense / (column + row));
}

LowRank factor_dense(const Conv2dProblem& p, const float* weight, double tolerance) {
  const std::int64_t rows = p.ic * p.kh, cols = p.kw * p.oc;
  std::vector<double> unfolded(static_cast<std::size_t>(rows * cols));
  for (std::int64_t q = 0; q < p.oc; ++q)
    for (std::int64_t c = 0; c < p.ic; ++c)
      for (std::int64_t r = 0; r < p.kh; ++r)
        for (std::int64_t s = 0; s < p.kw; ++s)
          unfolded[static_cast<std::size_t>((c * p.kh + r) * cols + s * p.oc + q)] =
              weight[((q * p.ic + c) * p.kh + r) * p.kw + s];
  return low_rank(unfolded.data(), rows, cols, tolerance, most_useful_rank(p));
}

// column.weight (R, ic, kh, 1) is `left` as it lies; row.weight is (oc, R, 1, kw).
void take_dense(const Conv2dProblem& p, const LowRank& factors, TwoPasses& passes) {
  append(passes.column.weight, factors.left);
  const std::int64_t cols = p.kw * p.oc;
  for (std::int64_t q = 0; q < p.oc; ++q)
    for (std::int64_t i = 0; i < factors.rank; ++i)
      for (std::int64_t s = 0; s < p.kw; ++s)
        passes.row.weight.push_back(static_cast<float>(
            factors.right[static_cast<std::size_t>(i * cols + s * p.oc + q)]));
}

TwoPasses refused(const Conv2dProblem& p, const Conv2dRequest& request, std::string reason) {
  TwoPasses passes(p, p.oc, request);
  passes.refusal = std::move(reason);
  return passes;
}

TwoPasses factor(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight) {
  const double tolerance = std::max<double>(request.tolerance, kLeastTolerance);
  for (std::int64_t i = 0; i < p.weight_size(); ++i)
    if (!std::isfinite(weight[i])) return refused(p, request, "some weights are not finite");
  if (p.depthwise()) {
    TwoPasses passes(p, p.oc, request);
    factor_depthwise(p, weight, tolerance, passes);
    return passes;
  }
  const LowRank factors = factor_dense(p, weight, tolerance);
  if (!factors.found)
    return refused(p, request,
                   "a rank above " + std::to_string(most_useful_rank(p)) + " at tolerance " +
                       number(tolerance) + " needs more multiply-adds than the dense filter");
  TwoPasses passes(p, factors.rank, request);
  take_dense(p, factors, passes);
  return passes;
}

// The passes with their algorithms, in the layout that is cheaper with the conversions around it.
TwoPasses plan_passes(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight) {
  TwoPasses passes = factor(p, request, weight);
  if (!passes.refusal.empty()) return passes;
  double least = INFINITY;
  Layout best = Layout::nhwc;
  for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
    if (!passes.choose(request, layout)) continue;
    const double cost =
        passes.cost() + conversion_cycles(StagedBytes(p, request, layout, layout).sum());
    if (cost >= least) continue;
    least = cost;
    best = layout;
  }
  if (!passes.choose(request, best))
    passes.refusal = "no algorithm takes both passes with kernel '" + request.kernel + "'";
  return passes;
}

class SeparableConv final : public Conv2dImpl {
 public:
  SeparableConv(const TwoPasses& passes, const float* bias)
      : between_bytes_(passes.between_bytes()),
        column_(passes.column.algorithm->make(passes.column.problem, passes.column.request,
                                              passes.column.weight.data(), nullptr)),
        row_(passes.row.algorithm->make(passes.row.problem, passes.row.request,
                                        passes.row.weight.data(), bias)) {}

  void run(const Conv2dRun& run) const override {
    float* between = static_cast<float*>(run.workspace);
    Conv2dRun pass = run;
    pass.workspace = static_cast<char*>(run.workspace) + between_bytes_;
    pass.dst = between;
    pass.residual = nullptr;
    column_->run(pass);
    pass.src = between;
    pass.dst = run.dst;
    pass.residual = run.residual;
    row_->run(pass);
  }
  std::size_t workspace_bytes() const override {
    return between_bytes_ + std::max(column_->workspace_bytes(), row_->workspace_bytes());
  }
  std::size_t packed_bytes() const override {
    return column_->packed_bytes() + row_->packed_bytes();
  }
  std::string kernels() const override {
    const std::string first = column_->kernels(), second = row_->kernels();
    return first == second ? first : first + "," + second;
  }

 private:
  std::size_t between_bytes_;
  std::unique_ptr<Conv2dImpl> column_, row_;
};

}  // namespace

Verdict consider_separable(const Conv2dProblem& p, const Conv2dRequest& request) {
  if (request.accuracy == Accuracy::exact)
    return refuse("accuracy is exact, and two passes round differently");
  if (p.kh == 1 || p.kw == 1)
    return refuse("the kernel is " + std::to_string(p.kh) + "x" + std::to_string(p.kw) +
                  ", which is one pass already");
  if (p.g != 1 && !p.depthwise())
    return refuse("the convolution has " + std::to_string(p.g) +
                  " groups, and is neither dense nor depthwise");
  if (p.ic == 0 || p.oc == 0) return refuse("there are no channels");
  if (!request.weight) return refuse("the weights are needed to judge their rank: pass weight=");
  const TwoPasses passes = plan_passes(p, request, request.weight);
  if (!passes.refusal.empty()) return refuse(passes.refusal);
  Verdict verdict{true, "", passes.cost(), 0};
  verdict.workspace_bytes =
      passes.between_bytes() +
      std::max(passes.column.verdict.workspace_bytes, passes.row.verdict.workspace_bytes);
  verdict.src_layout = verdict.dst_layout = passes.column.request.src_layout;
  return verdict;
}

std::unique_ptr<Conv2dImpl> make_separable(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  return std::make_unique<SeparableConv>(plan_passes(p, request, weight), bias);
}

}  // namespace pyconv
