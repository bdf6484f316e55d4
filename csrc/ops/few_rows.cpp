#include "ops/few_rows.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace pyconv {

namespace {

// How far ahead weights are fetched, in floats: 8 KiB from L3 or DRAM (Zen 5, 2026-11); 2 KiB from L2, where
// 8 bring 27 bytes a cycle instead of 32 (Zen 4, 2026-11).
constexpr std::int64_t kAhead = 2048, kAheadInL2 = 512;

}  // namespace

const LinearKernel* find_linear(LinearOrder order, Isa cap, const std::string& name) {
  for (const LinearKernel& kernel : linear_kernels())
    if (kernel.order == order && isa_allowed(kernel.info.isa, cap) &&
        (name.empty() || name == kernel.info.name))
      return &kernel;
  return nullptr;
}

bool takes_panels(const LinearKernel& kernel, const std::vector<WeightPanel>& panels) {
  const int lanes = kernel.info.tile_cols;
  return std::all_of(panels.begin(), panels.end(), [&](const WeightPanel& panel) {
    const KernelInfo& of = *panel.kernel;
    return of.isa == kernel.info.isa && of.tile_cols <= 4 * lanes && of.tile_cols % lanes == 0;
  });
}

// Runs of panels of one width, as many at a time as a call takes and a chunk of weights holds.
void multiply_few_rows(const LinearKernel& kernel, const PackedWeights& weights, const FewRows& rows, int threads) {
  const std::vector<WeightPanel>& panels = weights.panels();
  const std::int64_t width = panels.front().kernel->tile_cols;
  const std::int64_t chunk = std::max<std::int64_t>(
      kLinearPanels, kLinearChunk / std::max<std::int64_t>(1, width * weights.depth()));
  const std::int64_t count = static_cast<std::int64_t>(panels.size());
  parallel_for((count + chunk - 1) / chunk, threads, [&](std::int64_t index, int) {
    const std::int64_t last = std::min(count, (index + 1) * chunk);
    LinearPanels work;
    work.x = rows.x;
    work.x_stride = rows.x_stride;
    work.rows = rows.rows;
    work.depth = weights.depth();
    work.y_stride = rows.y_stride;
    work.ahead = weights.bytes() <= cpu().l2_bytes / 2 ? kAheadInL2 : kAhead;
    work.lo = rows.lo;
    work.hi = rows.hi;
    for (std::int64_t i = index * chunk; i < last; i += work.count) {
      const int columns = panels[static_cast<std::size_t>(i)].kernel->tile_cols;
      work.vectors = columns / kernel.info.tile_cols;
      for (work.count = 0; work.count < kLinearPanels && i + work.count < last; ++work.count) {
        const WeightPanel& panel = panels[static_cast<std::size_t>(i + work.count)];
        if (panel.kernel->tile_cols != columns) break;
        work.panel[work.count] = weights.panel_data(panel);
        work.bias[work.count] = weights.panel_bias(panel);
        work.y[work.count] = rows.y + panel.first_column;
        work.columns[work.count] = panel.columns;
      }
      kernel.run_panels(work);
    }
  });
}

}  // namespace pyconv
