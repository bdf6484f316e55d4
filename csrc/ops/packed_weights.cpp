#include "ops/packed_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/cpu.h"
#include "ops/layout.h"

namespace pyconv {

namespace {

int vector_length(Isa isa) { return isa == Isa::avx512 ? 16 : isa == Isa::avx2 ? 8 : 4; }

// Cycles to begin and end a tile: its accumulators, its lines of dst, the call.
constexpr double kTileCycles = 43.0;

// Cycles that one row of a panel takes per k: the FMA pipes at the row's measured efficiency.
double cycles_per_row(const KernelInfo& info) {
  return info.tile_cols / (fmas_per_cycle(info.isa) * vector_length(info.isa)) * 100.0 / info.efficiency;
}

struct Candidate {
  const KernelInfo* info;
  std::size_t row;
};

// Cycles of one panel over m rows: each tile has its fixed part, and per k at least one chain's
// latency of four cycles.
double panel_cycles(const KernelInfo& info, std::int64_t m, std::int64_t depth) {
  const BalancedTiles tiles(std::max<std::int64_t>(1, m), std::max(1, info.tile_rows));
  const double tall = std::max(4.0, cycles_per_row(info) * tiles.height);
  const double low = std::max(4.0, cycles_per_row(info) * (tiles.height - 1));
  const double count = static_cast<double>(tiles.count), talls = static_cast<double>(tiles.tall);
  return (talls * tall + (count - talls) * low) * static_cast<double>(depth) + count * kTileCycles;
}

// The rows of the best ISA that `cap` allows, widest first; a name leaves that row and the narrower
// ones of its ISA, for the columns that it does not fill.
std::vector<Candidate> candidates(const std::vector<const KernelInfo*>& registry, Isa cap,
                                  const std::string& kernel_name, bool whole_vectors) {
  const KernelInfo* forced = nullptr;
  for (const KernelInfo* info : registry)
    if (kernel_name == info->name && isa_allowed(info->isa, cap)) forced = info;
  std::vector<Candidate> rows;
  if (!kernel_name.empty() && !forced) return rows;
  for (std::size_t i = 0; i < registry.size(); ++i) {
    const KernelInfo& info = *registry[i];
    if (!isa_allowed(info.isa, cap)) continue;
    if (whole_vectors && !forced && info.tile_cols % vector_length(info.isa) != 0) continue;
    if (forced && &info != forced &&
        (info.isa != forced->isa || info.tile_cols >= forced->tile_cols))
      continue;
    if (!rows.empty() && info.isa != rows.front().info->isa) {
      if (isa_allowed(info.isa, rows.front().info->isa)) continue;
      rows.clear();
    }
    rows.push_back({&info, i});
  }
  std::sort(rows.begin(), rows.end(), [](const Candidate& a, const Candidate& b) {
    return a.info->tile_cols > b.info->tile_cols;
  });
  return rows;
}

// Columns that a row leaves unfilled at most: those of its last vector, or half vector, but one.
int most_unfilled(const KernelInfo& info) {
  const int vector = vector_length(info.isa), rest = info.tile_cols % vector;
  return (rest ? rest : std::min(vector, info.tile_cols)) - 1;
}

// The cheapest rows that cover `units` times `unit` columns, all filled but for the last one's last
// vector.
std::vector<const Candidate*> cheapest_cover(const std::vector<Candidate>& rows, int unit,
                                             int units, std::int64_t m, std::int64_t depth) {
  std::vector<double> cost(units + 1, 0.0);
  std::vector<const Candidate*> choice(units + 1, nullptr);
  for (int u = 1; u <= units; ++u) {
    for (const Candidate& row : rows) {
      const int taken = row.info->tile_cols / unit;
      if (taken >= u && (taken - u + 1) * unit - 1 > most_unfilled(*row.info)) continue;
      if (taken < u && !choice[u - taken]) continue;
      const double total = cost[std::max(0, u - taken)] + panel_cycles(*row.info, m, depth);
      if (choice[u] && total >= cost[u]) continue;
      cost[u] = total;
      choice[u] = &row;
    }
  }
  std::vector<const Candidate*> cover;
  for (int u = units; u > 0; u -= cover.back()->info->tile_cols / unit) cover.push_back(choice[u]);
  return cover;
}

}  // namespace

std::vector<WeightPanel> plan_panels(const std::vector<const KernelInfo*>& registry,
                                     std::int64_t columns, std::int64_t m, std::int64_t depth, Isa cap,
                                     const std::string& kernel_name, bool whole_vectors) {
  std::vector<WeightPanel> panels;
  const std::vector<Candidate> rows = candidates(registry, cap, kernel_name, whole_vectors);
  if (rows.empty()) return panels;
  int unit = 0;
  for (const Candidate& row : rows) unit = std::gcd(unit, row.info->tile_cols);
  const int widest = rows.front().info->tile_cols;
  const auto add = [&](const Candidate& row) {
    const std::int64_t at =
        panels.empty() ? 0 : panels.back().first_column + panels.back().kernel->tile_cols;
    const std::int64_t width = std::min<std::int64_t>(row.info->tile_cols, columns - at);
    panels.push_back({row.info, row.row, at, static_cast<int>(width), 0, 0});
  };
  // The row cheapest per column until the rest is small (a forced row: wherever it is filled), then
  // the cheapest cover of the rest.
  const Candidate* bulk = &rows.front();
  for (const Candidate& row : rows)
    if (kernel_name.empty() && panel_cycles(*row.info, m, depth) / row.info->tile_cols <
                                   panel_cycles(*bulk->info, m, depth) / bulk->info->tile_cols)
      bulk = &row;
  const std::int64_t least =
      kernel_name.empty() ? 2 * widest : widest - most_unfilled(*rows.front().info);
  std::int64_t rest = columns;
  for (; rest >= least; rest -= bulk->info->tile_cols) add(*bulk);
  if (!kernel_name.empty() && panels.empty()) return panels;
  if (rest <= 0) return panels;
  const int units = static_cast<int>((rest + unit - 1) / unit);
  for (const Candidate* row : cheapest_cover(rows, unit, units, m, depth)) add(*row);
  return panels;
}

std::string kernel_names(const std::vector<WeightPanel>& panels) {
  std::string names;
  for (const WeightPanel& panel : panels) {
    const std::string name = panel.kernel->name;
    if (names.find(name) == std::string::npos) names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

std::string no_panel_reason(const char* family, Isa cap, const std::string& kernel_name) {
  return "kernel '" + kernel_name + "' is no " + family + " row that " + isa_name(cap) +
         " allows, or wider than the output channels of a group";
}

double gemm_cycles(const std::vector<WeightPanel>& panels, std::int64_t m, std::int64_t k) {
  double cycles = 0.0;
  for (const WeightPanel& panel : panels) cycles += panel_cycles(*panel.kernel, m, k);
  return cycles;
}

namespace {

// Rows of the transposed block that is being packed: at 64 columns 16 KiB, in L1.
constexpr std::int64_t kPackRows = 64;

bool all_finite(const float* values, std::int64_t count) {
  std::uint32_t special = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    special |= static_cast<std::uint32_t>((bits & 0x7f800000u) == 0x7f800000u);
  }
  return special == 0;
}

// out[(t * channels + c) * nr + n] = filters[n * depth + c * taps + t]: a transposition by blocks
// through registers, whose rows then go to where their tap belongs.
void pack_panel(const TransposeKernel& kernel, const float* filters, int columns, int nr,
                std::int64_t channels, std::int64_t taps, float* out) {
  const std::int64_t depth = channels * taps;
  if (columns < nr) std::fill_n(out, depth * nr, 0.0f);
  if (taps == 1) {
    kernel.run({filters, depth, out, nr, columns, depth});
    return;
  }
  AlignedBuffer block(static_cast<std::size_t>(kPackRows * nr) * sizeof(float));
  for (std::int64_t j0 = 0; j0 < depth; j0 += kPackRows) {
    const std::int64_t rows = std::min(kPackRows, depth - j0);
    kernel.run({filters + j0, depth, block.floats(), nr, columns, rows});
    for (std::int64_t j = j0; j < j0 + rows; ++j)
      std::copy_n(block.floats() + (j - j0) * nr, columns, out + (j % taps * channels + j / taps) * nr);
  }
}

}  // namespace

PackedWeights::PackedWeights(std::vector<WeightPanel> panels, std::int64_t columns,
                             std::int64_t channels, std::int64_t taps, const float* weight,
                             const float* bias)
    : panels_(std::move(panels)), columns_(columns), depth_(channels * taps) {
  std::int64_t floats = 0, bias_floats = 0;
  for (WeightPanel& panel : panels_) {
    panel.offset = floats;
    panel.bias_offset = bias_floats;
    floats += (depth_ * panel.kernel->tile_cols + 15) / 16 * 16;
    bias_floats += (panel.kernel->tile_cols + 15) / 16 * 16;
  }
  data_ = AlignedBuffer(static_cast<std::size_t>(floats) * sizeof(float));
  bias_ = AlignedBuffer(static_cast<std::size_t>(bias_floats) * sizeof(float));
  finite_ = all_finite(weight, columns * depth_);
  for (const WeightPanel& panel : panels_) {
    const int nr = panel.kernel->tile_cols;
    float* packed_bias = bias_.floats() + panel.bias_offset;
    std::fill_n(packed_bias, nr, 0.0f);
    if (bias) std::copy_n(bias + panel.first_column, panel.columns, packed_bias);
    pack_panel(*find_transpose(panel.kernel->isa), weight + panel.first_column * depth_,
               panel.columns, nr, channels, taps, data_.floats() + panel.offset);
  }
}

}  // namespace pyconv
