#include "ops/conv2d/winograd_shape.h"

#include <algorithm>

#include "kernels/gemm/gemm.h"

namespace pyconv {

namespace {

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

// Floats from one row of a scratch matrix to the next, and from one matrix to the next: an odd number
// of cache lines, since rows a power of two apart share few cache sets.
std::int64_t odd_lines(std::int64_t floats) { return round_up(floats, 16) | 16; }

const WinogradKernel* pick_transforms(int m, Isa gemm_isa, const std::string& kernel) {
  for (const WinogradKernel& row : winograd_kernels())
    if (row.info.tile_rows == m && row.info.isa == gemm_isa &&
        (kernel.empty() || kernel == row.info.name))
      return &row;
  return nullptr;
}

// Vector additions and multiplications, fused ones counted once, of both transforms of one tile: the
// passes of winograd_body.inl.h.
double input_operations(int m) {
  const int pairs = m / 2;
  return 2.0 * (m + 2) * (2 * pairs + pairs * (2 * pairs + 1));
}
double output_operations(int m) {
  const int pairs = m / 2;
  return (2.0 * m + 2) * (2 * pairs * pairs + 2 * pairs);
}

// Bytes per cycle at which `bytes` that are used over and over stream from where they fit. Zen 5,
// 2026-11, beside the arithmetic that overlaps: `python -m benchmarks.bench_layers winograd`.
constexpr double kDramRate = 10.0;
double stream_rate(double bytes) {
  if (bytes <= 0.75 * static_cast<double>(cpu().l2_bytes)) return 64.0;
  return bytes <= 0.85 * static_cast<double>(cpu().l3_bytes) ? 36.0 : kDramRate;
}

// Cycles around the transforms of a tile, and around the product of one element and panel.
constexpr double kTileCalls = 150.0, kProductCall = 40.0;

}  // namespace

WinogradShape::WinogradShape(int m_, const Conv2dProblem& p, const Conv2dRequest& request)
    : m(m_), elements((m_ + 2) * (m_ + 2)), channels(p.ic), tiles_h((p.oh() + m_ - 1) / m_),
      tiles_w((p.ow() + m_ - 1) / m_), tiles(p.mb * tiles_h * tiles_w) {
  Isa cap = request.max_isa;
  std::string transform_row, gemm_row = request.kernel;
  for (const WinogradKernel& row : winograd_kernels()) {
    if (request.kernel != row.info.name) continue;
    cap = lower_isa(cap, row.info.isa);
    transform_row = request.kernel;
    gemm_row.clear();
  }
  panels = plan_panels(gemm_registry(), p.oc, std::min(tiles, kMostTiles), p.ic, cap, gemm_row);
  if (panels.empty()) return;
  transforms = pick_transforms(m, panels.front().kernel->isa, transform_row);
  for (const WeightPanel& panel : panels) columns += panel.kernel->tile_cols;
  cut(p, request.threads);
}

// V and M of a block stay in L2, where the time hardly depends on how large it is (Zen 5, 2026-11:
// within 3 % from 24 to 200 tiles of 64 channels). Weights too large for that are read once for as many
// tiles as the streams of V and M allow.
void WinogradShape::cut(const Conv2dProblem& p, int threads) {
  const std::int64_t l2_floats = static_cast<std::int64_t>(cpu().l2_bytes / sizeof(float));
  const std::int64_t parts = threads > 1 ? 4 * threads : 1;
  const std::int64_t count = static_cast<std::int64_t>(panels.size());
  shared = weight_bytes() > 2.0 * static_cast<double>(cpu().l2_bytes);
  if (!shared) {
    std::int64_t block = std::max<std::int64_t>(24, l2_floats / (elements * (channels + columns)));
    block = std::min(block, std::max<std::int64_t>(8, (tiles + parts - 1) / parts));
    lay_out(block, count);
    return;
  }
  double least = 0.0;
  std::int64_t best_block = 0, best_chunk = 0;
  for (std::int64_t n = 1; n <= 8; ++n)
    for (std::int64_t chunk = (count + parts - 1) / parts; chunk > 0; chunk /= 2) {
      lay_out((tiles + n - 1) / n, chunk);
      const double cost = cut_cycles(p);
      if (best_chunk && cost >= least) continue;
      least = cost;
      best_block = tile_block;
      best_chunk = chunk;
    }
  lay_out(best_block, best_chunk);
  own_v = threads > 1 && threads <= kMostOwners && tile_block <= kFewTiles;
}

void WinogradShape::lay_out(std::int64_t block, std::int64_t chunk) {
  tile_block = std::max<std::int64_t>(1, std::min({block, tiles, kMostTiles}));
  if (blocks()) tile_block = (tiles + blocks() - 1) / blocks();
  chunk_panels = static_cast<std::size_t>(chunk);
  v_row = odd_lines(channels);
  v_element = odd_lines(tile_block * v_row);
  v_floats = round_up(elements * v_element, 16);
  m_row = odd_lines(chunk_columns());
  m_element = odd_lines(tile_block * m_row);
  m_floats = round_up(elements * m_element, 16);
}

std::int64_t WinogradShape::chunk_columns() const {
  std::int64_t widest = 0;
  for (std::size_t i = 0; i < panels.size(); i += chunk_panels) {
    std::int64_t sum = 0;
    for (std::size_t j = i; j < std::min(panels.size(), i + chunk_panels); ++j)
      sum += panels[j].kernel->tile_cols;
    widest = std::max(widest, sum);
  }
  return widest;
}

std::size_t WinogradShape::workspace_bytes(int threads) const {
  const std::int64_t floats =
      shared && !own_v ? v_floats + threads * m_floats : threads * (v_floats + m_floats);
  return static_cast<std::size_t>(floats) * sizeof(float);
}

double WinogradShape::weight_bytes() const {
  return 4.0 * elements * static_cast<double>(channels) * static_cast<double>(columns);
}

double WinogradShape::product_cycles() const {
  const double count = static_cast<double>(tiles), passes = static_cast<double>(blocks());
  return passes * elements * gemm_cycles(panels, tile_block, channels) +
         elements * (count * chunks() + passes * kProductCall * static_cast<double>(panels.size()));
}

double WinogradShape::transform_cycles(const Conv2dProblem& p) const {
  const double count = static_cast<double>(tiles);
  const int lanes = transforms->info.isa == Isa::avx512 ? 16 : transforms->info.isa == Isa::avx2 ? 8 : 4;
  const double source_vectors = static_cast<double>((p.ic + lanes - 1) / lanes);
  const double result_vectors = static_cast<double>((p.oc + lanes - 1) / lanes);
  const double arithmetic = count * 50.0 / transforms->info.efficiency *
                            (source_vectors * input_operations(m) + result_vectors * output_operations(m));
  // V and M written once, V read for every chunk, M once.
  const double v_bytes = 4.0 * elements * count * static_cast<double>(p.ic);
  const double m_bytes = 4.0 * elements * count * static_cast<double>(p.oc);
  return count * kTileCalls * (1.0 + chunks()) / 2.0 + arithmetic +
         (v_bytes * (1.0 + chunks()) + 2.0 * m_bytes) / 2.0 / stream_rate(scratch_bytes());
}

// The first reading of the weights, and each one after it.
double WinogradShape::weight_cycles(double first_rate) const {
  const double again = weight_bytes() / stream_rate(weight_bytes() + scratch_bytes());
  return weight_bytes() / first_rate + (static_cast<double>(blocks()) - 1.0) * again;
}

// Nothing is said to overlap: weights that wait for nobody leave room for V and M.
double WinogradShape::cut_cycles(const Conv2dProblem& p) const {
  return product_cycles() + transform_cycles(p) +
         weight_cycles(stream_rate(weight_bytes() + scratch_bytes()));
}

// The next weights are fetched during the product. The layers of a network take turns, so that those
// which are too large for L2 come from DRAM.
double WinogradShape::cycles(const Conv2dProblem& p) const {
  const double l2 = static_cast<double>(cpu().l2_bytes);
  const double rate = weight_bytes() <= 0.75 * l2 ? stream_rate(weight_bytes()) : kDramRate;
  return transform_cycles(p) + std::max(product_cycles(), weight_cycles(rate));
}

double WinogradShape::least_cycles(int m, const Conv2dProblem& p) {
  const double elements = (m + 2) * (m + 2);
  const double tiles = static_cast<double>(p.mb * ((p.oh() + m - 1) / m) * ((p.ow() + m - 1) / m));
  return tiles * kTileCalls + elements * kProductCall +
         elements * tiles * static_cast<double>(p.ic * p.oc) / 32.0;
}

double WinogradShape::packing_cycles(const Conv2dProblem& p) const {
  return 2.5 * elements * static_cast<double>(p.ic * p.oc);
}

}  // namespace pyconv
