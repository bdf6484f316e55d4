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
        src_layout_(request.src_layout), dst_layout_(request.dst_layout), pixel_(p, request),
        weight_(weight, weight + p.weight_size()) {
    if (bias) bias_.assign(bias, bias + p.oc);
  }

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const std::int64_t oh = p_.oh(), ow = p_.ow(), oc = p_.oc;
    const Activation clamp = activation_.is_clamp() ? activation_ : Activation();
    const ReferenceConv conv{
        p_.mb, oc, oh, ow, p_.icg(), p_.ocg(), p_.ih, p_.iw, p_.kh, p_.kw,
        p_.sh, p_.sw, p_.dh, p_.dw, p_.pt, p_.pl,
        strides(src_layout_, p_.ic, p_.ih, p_.iw, pixel_.src),
        strides(dst_layout_, oc, oh, ow, pixel_.dst),
        strides(dst_layout_, oc, oh, ow, pixel_.residual),
        run.src, weight_.data(), bias_.empty() ? nullptr : bias_.data(), run.residual, run.dst,
        clamp.lo(), clamp.hi()};
    parallel_for(p_.mb * oh, run.threads, [&](std::int64_t index, int) {
      for (std::int64_t q = 0; q < oc; ++q) kernel_->row(conv, index / oh, q, index % oh);
    });
    if (activation_.is_clamp()) return;
    const bool nhwc = dst_layout_ == Layout::nhwc;
    activate_rows(activation_, cap_, run.dst, p_.mb * oh * (nhwc ? ow : oc), nhwc ? oc : ow,
                  nhwc ? pixel_.dst : ow);
  }

  std::size_t workspace_bytes() const override { return 0; }
  std::size_t packed_bytes() const override {
    return (weight_.size() + bias_.size()) * sizeof(float);
  }
  std::string kernels() const override { return kernel_->info.name; }

 private:
  static ReferenceStrides strides(Layout layout, std::int64_t channels, std::int64_t height,
                                  std::int64_t width, std::int64_t pixel) {
    if (layout == Layout::nhwc) return {height * width * pixel, 1, width * pixel, pixel};
    return {channels * height * width, height * width, width, 1};
  }

  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  const ReferenceKernel* kernel_;
  Layout src_layout_, dst_layout_;
  PixelStrides pixel_;
  std::vector<float> weight_, bias_;
};

}  // namespace

Verdict consider_reference(const Conv2dProblem& p, const Conv2dRequest& request) {
  const ReferenceKernel* kernel = pick(request);
  if (!kernel) return refuse("kernel '" + request.kernel + "' is no reference row that " +
                             isa_name(request.max_isa) + " allows");
  const double per_mac = kernel->info.isa == Isa::scalar ? 8.0 : 5.0;
  return {true,           "", static_cast<double>(p.macs()) * per_mac + 50.0, 0, request.src_layout,
          request.dst_layout};
}

std::unique_ptr<Conv2dImpl> make_reference(const Conv2dProblem& p, const Conv2dRequest& request,
                                           const float* weight, const float* bias) {
  return std::make_unique<ReferenceImpl>(p, request, weight, bias);
}

}  // namespace pyconv
