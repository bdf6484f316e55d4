#include "ops/scaled_pointwise.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/eltwise/eltwise.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"
#include "ops/extents.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Scratch of one block: it stays in L2 beside the weights (Zen 5: L2 1 MiB).
constexpr std::size_t kShareOfL2 = 8;
constexpr std::int64_t kLeastPixels = 48;

constexpr std::int64_t kPixelsAhead = 12;  // fetched to L2 (Zen 4)

std::int64_t block_pixels(const ScaledPointwiseProblem& p) {
  const std::int64_t floats = static_cast<std::int64_t>(cpu().l2_bytes / kShareOfL2 / sizeof(float));
  const std::int64_t most = std::max(kLeastPixels, floats / std::max<std::int64_t>(1, p.ic));
  std::int64_t blocks = std::max<std::int64_t>(1, (p.pixels + most - 1) / most);
  if (p.threads > 1)
    blocks = std::max(blocks, std::clamp<std::int64_t>(p.pixels / kLeastPixels, 1, 4 * p.threads) /
                                  p.threads * p.threads);
  return std::max<std::int64_t>(1, (p.pixels + blocks - 1) / std::max<std::int64_t>(1, blocks));
}

}  // namespace

bool scaling_pays(std::int64_t pixels, std::int64_t channels) {
  return static_cast<std::size_t>(pixels * channels) * sizeof(float) > cpu().l2_bytes / 4;
}

ScaledPointwisePlan::ScaledPointwisePlan(const ScaledPointwiseProblem& problem, const float* weight,
                                         const float* bias)
    : p_(problem),
      threads_(threads_for(static_cast<double>(problem.images * problem.pixels * problem.ic) *
                               static_cast<double>(problem.oc) / (16.0 * fmas_per_cycle(Isa::avx512)),
                           problem.threads)),
      block_(block_pixels(problem)),
      rows_(problem.oc, problem.ic, block_, problem.accuracy, problem.max_isa, problem.activation, weight,
            bias) {
  if (!p_.src_pixel) p_.src_pixel = p_.ic;
  if (!p_.dst_pixel) p_.dst_pixel = p_.oc;
  if (!p_.residual_pixel) p_.residual_pixel = p_.oc;
}

double ScaledPointwisePlan::cycles() const {
  const std::int64_t blocks = p_.pixels / block_;
  const double scaling =
      scales_weights() ? rows_.scaling_cycles()
                       : conversion_cycles(static_cast<std::size_t>(p_.pixels * p_.ic) * sizeof(float));
  return static_cast<double>(p_.images) * (static_cast<double>(blocks) * rows_.cycles(block_) +
                                           rows_.cycles(p_.pixels - blocks * block_) + scaling +
                                           activation_cycles(p_.activation, p_.max_isa, p_.pixels * p_.oc));
}

void ScaledPointwisePlan::run(const float* src, const float* scale, const float* shift,
                              const float* residual, float* dst, void* workspace) const {
  if (p_.pixels == 0) return;
  const FpEnvScope fp_env;
  float* scratch = static_cast<float*>(workspace);
  const std::int64_t blocks = (p_.pixels + block_ - 1) / block_;
  for (std::int64_t image = 0; image < p_.images; ++image) {
    const float* own_scale = p_.normed ? scale : scale + image * p_.ic;
    if (scales_weights()) rows_.scale_weights(own_scale, scratch);
    parallel_for(blocks, threads_, [&](std::int64_t block, int worker) {
      const std::int64_t first = block * block_, at = image * p_.pixels + first;
      PixelRun run;
      run.src = src + at * p_.src_pixel;
      run.src_pixel = p_.src_pixel;
      run.dst = dst + at * p_.dst_pixel;
      run.dst_pixel = p_.dst_pixel;
      if (residual) run.residual = residual + at * p_.residual_pixel;
      run.residual_pixel = p_.residual_pixel;
      run.pixels = std::min(block_, p_.pixels - first);
      run.fetch_dst = true;
      if (scales_weights()) {
        run.weights = scratch;
      } else {
        float* own = scratch + worker * block_ * p_.ic;
        prepare(run.src, own_scale, shift, run.pixels, own);
        run.src = own;
        run.src_pixel = p_.ic;
      }
      rows_.run(run);
    });
  }
}

void ScaledPointwisePlan::prepare(const float* src, const float* scale, const float* shift,
                                  std::int64_t count, float* to) const {
  const EltwiseOp op = !p_.normed     ? EltwiseOp::mul
                       : p_.rectified ? EltwiseOp::affine_relu
                                      : EltwiseOp::affine;
  const EltwiseFn fn = eltwise_fns(op, p_.max_isa).per_element;
  EltwiseArgs args;
  args.p = scale;
  args.q = shift;
  args.n = p_.ic;
  args.rows = p_.src_pixel == p_.ic ? count : 1;
  const bool pieces = args.rows == 1 && static_cast<std::size_t>(p_.pixels * p_.src_pixel) * sizeof(float) >
                                            cpu().l2_bytes;
  for (std::int64_t i = 0; i < count; i += args.rows) {
    args.src = src + i * p_.src_pixel;
    // Pixels of a longer stride are pieces that no hardware prefetcher follows.
    if (pieces && i + kPixelsAhead < count)
      for (std::int64_t c = 0; c < p_.ic; c += 16)
        __builtin_prefetch(args.src + kPixelsAhead * p_.src_pixel + c, 0, 2);
    args.dst = to + i * p_.ic;
    fn(args);
  }
}

}  // namespace pyconv
