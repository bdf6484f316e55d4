// The textbook loops as an algorithm: always legal, never fast.
#include <vector>

#include "base/thread_pool.h"
#include "kernels/reference/reference.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"

namespace pyconv {

namespace {

const ReferenceKernel* pick(const Conv2dRequest& request) {
  for (const ReferenceKernel& row : reference_kernels())
    if (isa_allowed(row.info.isa, request.max_isa) &&
        (request.kernel.empty() || request.kernel == row.info.name))
      return &row;
  return nullptr;
}

class ReferenceImpl final : public Conv2dImpl {
 public:
  ReferenceImpl(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight,
                const float* bias)
      : p_(p), activation_(request.activation), cap_(request.max_isa), kernel_(pick(request)),
        weight_(weight, weight + p.weight_size()) {
    if (bias) bias_.assign(bias, bias + p.oc);
    nhwc_ = request.layout == Layout::nhwc;
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const std::int64_t oh = p_.oh(), ow = p_.ow();
    const std::int64_t ic = p_.ic, oc = p_.oc;
    ReferenceConv conv{p_.mb, oc, oh, ow, p_.icg(), p_.ocg(), p_.ih, p_.iw, p_.kh, p_.kw,
                       p_.sh, p_.sw, p_.dh, p_.dw, p_.pt, p_.pl,
                       ic * p_.ih * p_.iw, nhwc_ ? 1 : p_.ih * p_.iw, nhwc_ ? p_.iw * ic : p_.iw,
                       nhwc_ ? ic : 1,
                       oc * oh * ow, nhwc_ ? 1 : oh * ow, nhwc_ ? ow * oc : ow, nhwc_ ? oc : 1,
                       run.src, weight_.data(), bias_.empty() ? nullptr : bias_.data(), run.dst,
                       activation_.is_clamp() ? activation_.lo() : Activation().lo(),
                       activation_.is_clamp() ? activation_.hi() : Activation().hi()};
    parallel_for(p_.mb * oh, run.threads, [&](std::int64_t index, int) {
      for (std::int64_t q = 0; q < oc; ++q) kernel_->row(conv, index / oh, q, index % oh);
    });
    if (activation_.is_clamp()) return;
    activate_rows(activation_, cap_, run.dst, p_.mb * oh, oc * ow, oc * ow);
  }

  std::size_t workspace_bytes() const override { return 0; }
  std::size_t packed_bytes() const override {
    return (weight_.size() + bias_.size()) * sizeof(float);
  }
  std::string kernels() const override { return kernel_->info.name; }

 private:
  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  bool nhwc_ = false;
  const ReferenceKernel* kernel_;
  std::vector<float> weight_, bias_;
};

}  // namespace

Verdict consider_reference(const Conv2dProblem& p, const Conv2dRequest& request) {
  const ReferenceKernel* kernel = pick(request);
  if (!kernel) return refuse("kernel '" + request.kernel + "' is no reference row that " +
                             isa_name(request.max_isa) + " allows");
  const double per_mac = kernel->info.isa == Isa::scalar ? 8.0 : 5.0;
  return {true,           "", static_cast<double>(p.macs()) * per_mac + 50.0, 0, request.layout,
          request.layout};
}

std::unique_ptr<Conv2dImpl> make_reference(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  return std::make_unique<ReferenceImpl>(p, request, weight, bias);
}

}  // namespace pyconv
