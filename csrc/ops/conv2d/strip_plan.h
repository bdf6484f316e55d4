// Output rows and columns of a convolution in the strips of kernels/strip/strip.h.
//
// Strides and dilations are taken apart first. With d' = dilation / gcd(stride, dilation), the
// outputs q * d' + m of one residue m form a convolution of stride stride / gcd whose neighbouring
// taps lie `dilation` pixels apart: dense, but for the steps between pixels. So a dilated filter
// runs on the same register tiles as a dense one.
#pragma once
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/strip/strip.h"
#include "ops/conv2d/algorithms.h"

namespace pyconv {

// One axis: the stride between outputs of one residue, and how many residues there are.
struct StripAxis {
  std::int64_t stride, residues;
  StripAxis(std::int64_t s, std::int64_t d)
      : stride(s / std::gcd(s, d)), residues(d / std::gcd(s, d)) {}
};

// Pointers to input rows stand on the stack: filters of more rows are refused.
constexpr std::int64_t kMostFilterRows = 1024;
constexpr std::int64_t kMostStripRows = 64;  // output rows
constexpr std::int64_t kRowTable = kMostFilterRows + kMostStripRows;

class StripPlan {
 public:
  // height: output rows of a strip where the shape leaves their number open; at most kMostStripRows.
  StripPlan(const Conv2dProblem& problem, const Conv2dRequest& request, const StripShape& shape,
            std::int64_t height);

  std::int64_t row_groups() const { return static_cast<std::int64_t>(groups_.size()); }
  std::int64_t rows_of(std::int64_t group) const { return groups_[group].count; }
  std::int64_t first_row_of(std::int64_t group) const { return groups_[group].first; }

  // Fills what the strips of one group of rows share, and `rows`, kRowTable pointers.
  void begin_group(const Conv2dRun& run, std::int64_t image, std::int64_t group, ConvStrip* strip,
                   const float** rows) const;
  // Sets the columns of one residue, for channels from src_channel and dst_channel on.
  void set_columns(const Conv2dRun& run, std::int64_t image, std::int64_t group,
                   std::size_t residue, std::int64_t src_channel, std::int64_t dst_channel,
                   ConvStrip* strip) const;
  std::size_t column_residues() const { return columns_.size(); }
  // Applies an activation that is no clamp to the rows of a group.
  void activate(const Conv2dRun& run, const Activation& activation, Isa cap, std::int64_t image,
                std::int64_t group) const;

 private:
  // Output rows computed at once: `count` of them, y_.residues apart.
  struct RowGroup {
    std::int64_t first, count;
  };
  // The output columns of one residue, in steps of x_.residues, and the taps they reach.
  struct Columns {
    std::int64_t src, first_tap, last_tap, count;
  };
  // The first output pixel of a group, counted from run.dst.
  std::int64_t origin(const Conv2dRun& run, std::int64_t image, std::int64_t group) const {
    return (image * p_.oh() + groups_[group].first - run.dst_row0) * p_.ow();
  }

  Conv2dProblem p_;
  PixelStrides pixel_;
  StripAxis y_, x_;
  std::vector<RowGroup> groups_;
  std::vector<Columns> columns_;
};

// Whether a row of this shape takes the problem.
bool strip_takes(const StripShape& shape, const Conv2dProblem& problem);

// Why pick_strip_row found nothing.
std::string no_strip_row_reason(const char* family, const Conv2dProblem& problem,
                                const Conv2dRequest& request);

// Sets the clamp that the kernels apply as they store.
void set_clamp(const Activation& activation, ConvStrip* strip);

// The first row of the best ISA that takes the problem and for which suits(row) holds, or the one
// named; null when there is none.
template <class Row, class Suits>
const Row* pick_strip_row(const std::vector<Row>& rows, const Conv2dProblem& problem,
                          const Conv2dRequest& request, Suits suits) {
  const Row* best = nullptr;
  for (const Row& row : rows) {
    if (!isa_allowed(row.info.isa, request.max_isa) || !strip_takes(row.shape, problem)) continue;
    if (request.kernel.empty() ? !suits(row) : request.kernel != row.info.name) continue;
    if (!best || (best->info.isa != row.info.isa && isa_allowed(best->info.isa, row.info.isa)))
      best = &row;
  }
  return best;
}

}  // namespace pyconv
