#include "ops/conv2d/few_rows_conv.h"

#include "kernels/gemm/gemm.h"
#include "ops/activation.h"
#include "ops/few_rows.h"

namespace pyconv {

namespace {

std::int64_t rows_of(const Conv2dProblem& p) { return p.mb * p.oh() * p.ow(); }

std::vector<WeightPanel> panels_of(const Conv2dProblem& p, const Conv2dRequest& request) {
  return plan_panels(gemm_registry(), p.oc, rows_of(p), p.depth(), request.max_isa, {}, true);
}

class FewRowsConv final : public Conv2dImpl {
 public:
  FewRowsConv(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight, const float* bias)
      : p_(p), activation_(request.activation), cap_(request.max_isa), pixel_(p, request),
        kernel_(find_linear(LinearOrder::panels, request.max_isa, {})),
        weights_(panels_of(p, request), p.oc, p.ic, p.taps(), weight, bias) {}

  void run(const Conv2dRun& run) const override {
    if (p_.dst_size() == 0) return;
    const bool clamps = activation_.is_clamp();
    const Activation as_is;
    FewRows rows;
    rows.x = run.src;
    rows.x_stride = p_.oh() * p_.ow() == 1 ? p_.ih * p_.iw * pixel_.src : pixel_.src;
    rows.rows = static_cast<int>(rows_of(p_));
    rows.y = run.dst;
    rows.y_stride = pixel_.dst;
    rows.lo = (clamps ? activation_ : as_is).lo();
    rows.hi = (clamps ? activation_ : as_is).hi();
    multiply_few_rows(*kernel_, weights_, rows, run.threads);
    if (!clamps) activate_rows(activation_, cap_, run.dst, rows.rows, p_.oc, pixel_.dst);
  }

  std::size_t workspace_bytes() const override { return 0; }
  std::size_t packed_bytes() const override { return weights_.bytes(); }
  std::string kernels() const override { return kernel_->info.name; }

 private:
  Conv2dProblem p_;
  Activation activation_;
  Isa cap_;
  PixelStrides pixel_;
  const LinearKernel* kernel_;
  PackedWeights weights_;
};

}  // namespace

bool has_few_rows(const Conv2dProblem& p, const Conv2dRequest& request) {
  const bool regular = (p.sh == 1 && p.sw == 1) || p.oh() * p.ow() == 1;
  if (p.g != 1 || p.oc == 0 || rows_of(p) > kLinearRows || !regular || request.residual || !request.kernel.empty())
    return false;
  const LinearKernel* kernel = find_linear(LinearOrder::panels, request.max_isa, {});
  return kernel && takes_panels(*kernel, panels_of(p, request));
}

std::unique_ptr<Conv2dImpl> make_few_rows(const Conv2dProblem& p, const Conv2dRequest& request, const float* weight,
                                          const float* bias) {
  return std::make_unique<FewRowsConv>(p, request, weight, bias);
}

}  // namespace pyconv
