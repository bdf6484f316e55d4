#include "ops/conv2d/winograd_shape.h"

#include <algorithm>
#include <cmath>

#include "kernels/gemm/gemm.h"

namespace pyconv {

namespace {

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

// Floats from one row of a scratch matrix to the next, and from one matrix to the next: an odd number
// of cache lines, since rows a power of two apart share few cache sets.
std::int64_t odd_lines(std::int64_t floats) { return round_up(floats, 16) | 16; }

const WinogradKernel* pick_transforms(int m, int taps, int stride, Isa gemm_isa, const std::string& kernel) {
  for (const WinogradKernel& row : winograd_kernels())
    if (row.info.tile_rows == m && row.taps == taps && row.stride == stride && row.info.isa == gemm_isa &&
        (kernel.empty() || kernel == row.info.name))
      return &row;
  return nullptr;
}

// Vector additions and multiplications, fused ones counted once, of both transforms of one tile: the
// passes of winograd_body.inl.h, and of winograd_phases.inl.h.
double input_operations(int pairs, int stride) {
  if (stride == 2) return 2.0 * (4 * pairs + 1) * (2 * pairs + 2 * pairs * pairs);
  return 4.0 * (pairs + 1) * (2 * pairs + pairs * (2 * pairs + 1));
}
double output_operations(int pairs, int m, int stride) {
  if (stride == 2) return (4.0 * pairs + 1 + m) * (pairs * (m + 2) + 1) + m * m;
  return (2.0 * pairs + 2 + m) * pairs * (m + 2);
}

// Bytes per cycle at which `bytes` that are used over and over stream from where they fit: half of a
// cache, since the image passes through it as well, and the last level is shared with other cores.
// Zen 4 and Zen 5, 2026-11.
constexpr double kDramRate = 8.0;
double l2_rate() { return cpu().simd_bits / 8.0; }
bool in_l2(double bytes) { return bytes <= 0.5 * static_cast<double>(cpu().l2_bytes); }
bool in_l3(double bytes) { return bytes <= 0.4 * static_cast<double>(cpu().l3_bytes); }
double stream_rate(double bytes) {
  return in_l2(bytes) ? l2_rate() : in_l3(bytes) ? 0.6 * l2_rate() : kDramRate;
}

// The share of scattered accesses to `bytes` of scratch that L2 misses. What misses comes as slowly as from DRAM.
double missed(double bytes) {
  return std::clamp((bytes / static_cast<double>(cpu().l2_bytes) - 0.5) / 1.5, 0.0, 1.0);
}

// Products of one block while weights stream in: neither hides all of the other.
double together(double products, double stream) { return std::hypot(products, stream); }

// Cycles around the transforms of a tile, with a pointer for each pixel where the stride is 2, and around the product
// of one element and panel.
constexpr double kTileCalls = 150.0, kPhaseCalls = 1000.0, kProductCall = 40.0;

}  // namespace

WinogradShape::WinogradShape(int m_, const Conv2dProblem& p, const Conv2dRequest& request)
    : m(m_), taps(static_cast<int>(p.kh)), stride(static_cast<int>(p.sh)), elements(edge() * edge()), channels(p.ic),
      tiles_h((p.oh() + m_ - 1) / m_), tiles_w((p.ow() + m_ - 1) / m_), tiles(p.mb * tiles_h * tiles_w) {
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
  transforms = pick_transforms(m, taps, stride, panels.front().kernel->isa, transform_row);
  if (!transforms) return;
  for (const WeightPanel& panel : panels) columns += panel.kernel->tile_cols;
  cut(p, request.threads);
}

// The least estimate of all cuts: blocks whose V and M stay in L2, each reading all weights again, up to
// the whole image at once, where V and M stream and the weights are read once. With several threads,
// blocks of their own for each, or one block whose chunks they divide.
void WinogradShape::cut(const Conv2dProblem& p, int threads) {
  const std::int64_t parts = threads > 1 ? 4 * threads : 1;
  const std::int64_t count = static_cast<std::int64_t>(panels.size());
  struct Cut {
    bool shared;
    std::int64_t block, chunk;
  } best{false, 0, 0};
  double least = 0.0;
  const auto consider = [&](bool divided, std::int64_t block, std::int64_t chunk) {
    shared = divided;
    lay_out(block, chunk);
    const double cost = cycles(p);
    if (best.block && cost >= least) return;
    least = cost;
    best = {divided, block, chunk};
  };
  const std::int64_t most = std::max<std::int64_t>(8, (tiles + parts - 1) / parts);
  for (std::int64_t block = 8; block < 2 * kMostTiles; block += block / 2) {
    for (std::int64_t chunk : {count, std::int64_t{2}, std::int64_t{1}})
      if (chunk <= count) consider(false, std::min(block, most), chunk);
    if (block >= most) break;
  }
  const bool divides = threads > 1 && weight_bytes() > 2.0 * static_cast<double>(cpu().l2_bytes);
  for (std::int64_t n = 1; divides && n <= 8; ++n)
    for (std::int64_t chunk = (count + parts - 1) / parts; chunk > 0; chunk /= 2)
      consider(true, (tiles + n - 1) / n, chunk);
  shared = best.shared;
  lay_out(best.block, best.chunk);
  own_v = shared && threads <= kMostOwners && tile_block <= kFewTiles;
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
  return 4.0 * weight_elements() * static_cast<double>(channels) * static_cast<double>(columns);
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
  const double arithmetic = count * 100.0 /
                            (fmas_per_cycle(transforms->info.isa) * transforms->info.efficiency) *
                            (source_vectors * input_operations(pairs(), stride) +
                             result_vectors * output_operations(pairs(), m, stride));
  // V and M are written and read, V for every chunk; half of it hides behind arithmetic in L2.
  const double v_bytes = 4.0 * elements * count * static_cast<double>(p.ic);
  const double m_bytes = 4.0 * elements * count * static_cast<double>(p.oc);
  const double m_scratch = 4.0 * static_cast<double>(m_floats);
  const double scratch = 4.0 * static_cast<double>(v_floats) + m_scratch;
  const double within = (v_bytes * (1.0 + chunks()) + 2.0 * m_bytes) / (2.0 * l2_rate());
  const double beyond = 2.0 * (v_bytes * missed(scratch) + m_bytes * missed(m_scratch)) / kDramRate;
  const double calls = (stride == 1 ? kTileCalls : kPhaseCalls) + kTileCalls * chunks();
  return count * calls / 2.0 + arithmetic + within + beyond;
}

// The layers of a network take turns, so that weights which are too large for L2 come from DRAM the first
// time, and have the products of one block to hide behind.
double WinogradShape::cycles(const Conv2dProblem& p) const {
  const double passes = static_cast<double>(blocks()), products = product_cycles() / std::max(1.0, passes);
  if (in_l2(weight_bytes())) return transform_cycles(p) + product_cycles();
  return transform_cycles(p) + together(products, weight_bytes() / kDramRate) +
         (passes - 1.0) * together(products, weight_bytes() / stream_rate(weight_bytes()));
}

double WinogradShape::least_cycles(int m, const Conv2dProblem& p) {
  const double edge = static_cast<double>(p.sh * (m - 1) + p.kh), elements = edge * edge;
  const double tiles = static_cast<double>(p.mb * ((p.oh() + m - 1) / m) * ((p.ow() + m - 1) / m));
  return tiles * kTileCalls + elements * kProductCall +
         elements * tiles * static_cast<double>(p.ic * p.oc) / (16.0 * fmas_per_cycle(Isa::avx512));
}

double WinogradShape::packing_cycles(const Conv2dProblem& p) const {
  return 2.5 * weight_elements() * static_cast<double>(p.ic * p.oc);
}

}  // namespace pyconv
