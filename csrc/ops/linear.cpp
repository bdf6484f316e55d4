#include "ops/linear.h"

#include <algorithm>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/gemm/gemm.h"
#include "ops/activation.h"
#include "ops/extents.h"
#include "ops/few_rows.h"
#include "ops/gemm_panel.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// Packed weights kept in L2 while they meet the rows of a block, and such rows (as in gemm_conv.cpp).
constexpr std::int64_t kWeightBlock = (256 << 10) / sizeof(float);
constexpr std::int64_t kRowBlock = 192;
// Largest batches that the kernels for unpacked weights take one-shot; `python -m
// benchmarks.bench_ops --family linear` measures both (Zen 5, 2026-11).
constexpr std::int64_t kUnpackedDot = 32;
constexpr std::int64_t kUnpackedChain = 16;

bool names_linear(const std::string& name) { return name.compare(0, 7, "linear_") == 0; }

// Two FMA pipes, or the weights from L3 at 24 bytes a cycle.
double cycles_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  const double weights = static_cast<double>(n) * static_cast<double>(k);
  return weights * std::max(static_cast<double>(m) / 24.0, 1.0 / 6.0);
}

float clamp_lo(const Activation& a) { return a.is_clamp() ? a.lo() : Activation().lo(); }
float clamp_hi(const Activation& a) { return a.is_clamp() ? a.hi() : Activation().hi(); }

}  // namespace

LinearPlan::LinearPlan(std::int64_t n, std::int64_t k, const LinearRequest& request,
                       const float* weight, const float* bias)
    : n_(n), k_(k), request_(request),
      weights_(plan_panels(gemm_registry(), n, kRowBlock, k, request.max_isa,
                           names_linear(request.kernel) ? std::string() : request.kernel, true),
               n, k, 1, weight, bias) {
  if (n > 0 && weights_.panels().empty())
    throw InvalidArgument("kernel: " +
                          no_panel_reason("gemm", request.max_isa, request.kernel));
  if (!request.kernel.empty() && !names_linear(request.kernel)) return;
  few_ = find_linear(LinearOrder::panels, request.max_isa, request.kernel);
  if (!few_)
    throw InvalidArgument("kernel: expected a linear row that reads packed weights and that " +
                          std::string(isa_name(request.max_isa)) + " allows, got '" +
                          request.kernel + "'");
  if (!takes_panels(*few_, weights_.panels())) few_ = nullptr;
}

std::string LinearPlan::kernels() const {
  const std::string gemm = kernel_names(weights_.panels());
  return few_ ? std::string(few_->info.name) + "," + gemm : gemm;
}

void LinearPlan::run(const float* x, std::int64_t m, float* y) const {
  if (m == 0 || n_ == 0) return;
  const FpEnvScope fp_env;
  const int threads = threads_for(cycles_of(m, n_, k_), request_.threads);
  if (few_ && m <= kLinearRows)
    multiply_few_rows(*few_, weights_,
                      {x, k_, static_cast<int>(m), y, n_, clamp_lo(request_.activation), clamp_hi(request_.activation)},
                      threads);
  else
    run_many(x, m, y, threads);
  if (request_.activation.is_clamp()) return;
  const std::int64_t rows = std::max<std::int64_t>(1, 4096 / n_);
  parallel_for((m + rows - 1) / rows, threads, [&](std::int64_t index, int) {
    activate_rows(request_.activation, request_.max_isa, y + index * rows * n_,
                  std::min(rows, m - index * rows), n_, n_);
  });
}

// Blocks of rows; in each, blocks of k, and every panel over all tiles of the block.
void LinearPlan::run_many(const float* x, std::int64_t m, float* y, int threads) const {
  const std::vector<WeightPanel>& panels = weights_.panels();
  const std::int64_t count = static_cast<std::int64_t>(panels.size());
  const std::int64_t row_blocks = (m + kRowBlock - 1) / kRowBlock;
  const std::int64_t parts =
      std::min<std::int64_t>(count, threads > 1 ? (4 * threads + row_blocks - 1) / row_blocks : 1);
  const std::int64_t group = (count + parts - 1) / parts;
  const std::int64_t groups = (count + group - 1) / group;
  parallel_for(row_blocks * groups, threads, [&](std::int64_t index, int) {
    const std::int64_t first = index % groups * group, last = std::min(count, first + group);
    const std::int64_t row0 = index / groups * kRowBlock, rows = std::min(kRowBlock, m - row0);
    const std::int64_t width = panels[static_cast<std::size_t>(first)].kernel->tile_cols;
    const std::int64_t depth = std::max<std::int64_t>(64, kWeightBlock / width);
    std::int64_t k0 = 0;
    do {
      for (std::int64_t i = first; i < last; ++i) {
        const WeightPanel& panel = panels[static_cast<std::size_t>(i)];
        const WeightPanel* next = i + 1 < last ? &panel + 1 : nullptr;
        run_block(x + row0 * k_ + k0, rows, panel, k0, std::min(depth, k_ - k0),
                  next ? weights_.panel_data(*next) + k0 * next->kernel->tile_cols : nullptr,
                  y + row0 * n_);
      }
      k0 += depth;
    } while (k0 < k_);
  });
}

void LinearPlan::run_block(const float* x, std::int64_t rows, const WeightPanel& panel,
                           std::int64_t k0, std::int64_t depth, const float* next,
                           float* y) const {
  const GemmKernel& kernel = gemm_kernels()[panel.row];
  const float* pointers[kRowBlock];
  for (std::int64_t r = 0; r < rows; ++r) pointers[r] = x + r * k_;
  GemmTiles tiles;
  tiles.rows = pointers;
  tiles.depth = depth;
  tiles.panel = weights_.panel_data(panel) + k0 * kernel.info.tile_cols;
  tiles.out.dst = y + panel.first_column;
  tiles.out.dst_stride = n_;
  tiles.out.columns = panel.columns;
  tiles.out.bias = weights_.panel_bias(panel);
  tiles.out.first = k0 == 0;
  tiles.out.last = k0 + depth == k_;
  tiles.out.clamped = request_.activation.kind != ActivationKind::none;
  tiles.out.lo = clamp_lo(request_.activation);
  tiles.out.hi = clamp_hi(request_.activation);
  fetch_next(tiles, kernel, rows, next);
  multiply_panel(kernel, tiles, rows);
}

namespace {

// The order that reads the weights as they are, or null where packing them pays.
const LinearKernel* unpacked(std::int64_t m, std::int64_t k, const LinearRequest& request) {
  if (!request.kernel.empty()) {
    const LinearKernel* kernel = find_linear(LinearOrder::dot, request.max_isa, request.kernel);
    if (!kernel) kernel = find_linear(LinearOrder::chain, request.max_isa, request.kernel);
    if (kernel && kernel->order == LinearOrder::dot && request.accuracy == Accuracy::exact)
      throw InvalidArgument("kernel: " + request.kernel + " splits its sums, which accuracy='exact' forbids");
    return kernel;
  }
  if (request.accuracy == Accuracy::fast && m <= kUnpackedDot && k >= 16)
    return find_linear(LinearOrder::dot, request.max_isa, {});
  return m <= kUnpackedChain ? find_linear(LinearOrder::chain, request.max_isa, {}) : nullptr;
}

}  // namespace

void linear(std::int64_t m, std::int64_t n, std::int64_t k, const LinearRequest& request,
            const float* x, const float* weight, const float* bias, float* y) {
  if (m == 0 || n == 0) return;
  const LinearKernel* kernel = unpacked(m, k, request);
  if (!kernel) return LinearPlan(n, k, request, weight, bias).run(x, m, y);
  const FpEnvScope fp_env;
  const int threads = threads_for(cycles_of(m, n, k), request.threads);
  const std::int64_t chunk =
      threads == 1 ? n : std::max<std::int64_t>(64, kLinearChunk / std::max<std::int64_t>(1, k) / 64 * 64);
  parallel_for((n + chunk - 1) / chunk, threads, [&](std::int64_t index, int) {
    LinearRows work;
    work.x_stride = work.depth = k;
    work.weight = weight;
    work.first = index * chunk;
    work.last = std::min(n, work.first + chunk);
    work.bias = bias;
    work.y_stride = n;
    work.lo = clamp_lo(request.activation);
    work.hi = clamp_hi(request.activation);
    for (std::int64_t row = 0; row < m; row += kLinearRows) {
      work.rows = static_cast<int>(std::min<std::int64_t>(kLinearRows, m - row));
      work.x = x + row * k;
      work.y = y + row * n;
      kernel->run_rows(work);
    }
    if (!request.activation.is_clamp())
      activate_rows(request.activation, request.max_isa, y + work.first, m, work.last - work.first, n);
  });
}

}  // namespace pyconv
