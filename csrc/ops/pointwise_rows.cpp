#include "ops/pointwise_rows.h"

#include <algorithm>

#include "kernels/eltwise/eltwise.h"
#include "kernels/gemm/gemm.h"
#include "ops/activation.h"
#include "ops/conv2d/algorithms.h"
#include "ops/gemm_panel.h"

namespace pyconv {

namespace {

constexpr std::int64_t kPixels = 512;  // of one GEMM: pointers to them stand on the stack

}  // namespace

PointwiseRows::PointwiseRows(std::int64_t n, std::int64_t k, std::int64_t pixels, Accuracy accuracy,
                             Isa max_isa, const Activation& activation, const float* weight,
                             const float* bias)
    : weights_(plan_panels(gemm_registry(), n, pixels, k, max_isa, {}), n, k, 1, weight, bias),
      accuracy_(accuracy),
      max_isa_(max_isa),
      activation_(activation) {}

std::int64_t PointwiseRows::weight_floats() const {
  std::int64_t floats = 0;
  for (const WeightPanel& panel : weights_.panels()) floats += weights_.depth() * panel.kernel->tile_cols;
  return floats;
}

double PointwiseRows::cycles(std::int64_t pixels) const {
  return gemm_cycles(weights_.panels(), pixels, weights_.depth());
}

double PointwiseRows::scaling_cycles() const {
  return conversion_cycles(static_cast<std::size_t>(weight_floats()) * sizeof(float));
}

void PointwiseRows::scale_weights(const float* scale, float* to) const {
  const EltwiseFn multiply = eltwise_fns(EltwiseOp::mul, max_isa_).uniform;
  for (const WeightPanel& panel : weights_.panels()) {
    EltwiseArgs args;
    args.src = weights_.panel_data(panel);
    args.dst = to + panel.offset;
    args.n = panel.kernel->tile_cols;
    args.rows = weights_.depth();
    args.p = scale;
    multiply(args);
  }
}

void PointwiseRows::run(const PixelRun& run) const {
  const float* rows[kPixels];
  for (std::int64_t first = 0; first < run.pixels; first += kPixels) {
    const std::int64_t count = std::min(kPixels, run.pixels - first);
    for (std::int64_t i = 0; i < count; ++i) rows[i] = run.src + (first + i) * run.src_pixel;
    const std::vector<WeightPanel>& panels = weights_.panels();
    for (std::size_t i = 0; i < panels.size(); ++i) {
      const WeightPanel& panel = panels[i];
      GemmTiles tiles;
      tiles.rows = rows;
      tiles.depth = weights_.depth();
      tiles.panel = run.weights ? run.weights + panel.offset : weights_.panel_data(panel);
      tiles.out.dst = run.dst + first * run.dst_pixel + panel.first_column;
      tiles.out.dst_stride = run.dst_pixel;
      tiles.out.columns = panel.columns;
      tiles.out.bias = weights_.panel_bias(panel);
      if (run.residual) tiles.out.residual = run.residual + first * run.residual_pixel + panel.first_column;
      tiles.out.residual_stride = run.residual_pixel;
      tiles.out.fetch_dst = run.fetch_dst;
      tiles.out.plus_zero = accuracy_ == Accuracy::exact;
      tiles.out.clamped = activation_.is_clamp() && activation_.kind != ActivationKind::none;
      tiles.out.lo = activation_.lo();
      tiles.out.hi = activation_.hi();
      const GemmKernel& kernel = gemm_kernels()[panel.row];
      if (!run.weights && weights_.bytes() > cpu().l1d_bytes)
        fetch_next(tiles, kernel, count, weights_.panel_data(panels[i + 1 < panels.size() ? i + 1 : 0]));
      multiply_panel(kernel, tiles, count);
    }
    if (!activation_.is_clamp())
      activate_rows(activation_, max_isa_, run.dst + first * run.dst_pixel, count, weights_.columns(),
                    run.dst_pixel);
  }
}

}  // namespace pyconv
