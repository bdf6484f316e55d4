#include "ops/conv2d/strip_plan.h"

#include <algorithm>

#include "ops/activation.h"

namespace pyconv {

namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {  // b > 0; a of either sign
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

}  // namespace

bool strip_takes(const StripShape& shape, const Conv2dProblem& p) {
  return p.kh <= kMostFilterRows && (shape.kh == 0 || shape.kh == p.kh) &&
         (shape.kw == 0 || shape.kw == p.kw) &&
         (shape.out_rows > 0 || StripAxis(p.sh, p.dh).stride == shape.stride) &&
         (shape.stride == 0 || shape.stride == StripAxis(p.sw, p.dw).stride);
}

std::string no_strip_row_reason(const char* family, const Conv2dProblem& p,
                                const Conv2dRequest& request) {
  if (p.kh > kMostFilterRows)
    return "the filter is taller than " + std::to_string(kMostFilterRows) + " rows";
  return "kernel '" + request.kernel + "' is no " + family + " row that " +
         isa_name(request.max_isa) + " allows for this filter and stride";
}

void set_clamp(const Activation& activation, ConvStrip* strip) {
  const Activation clamp = activation.is_clamp() ? activation : Activation();
  strip->lo = clamp.lo();
  strip->hi = clamp.hi();
  strip->clamped = clamp.kind != ActivationKind::none;
}

StripPlan::StripPlan(const Conv2dProblem& p, const Conv2dRequest& request, const StripShape& shape,
                     std::int64_t height)
    : p_(p), pixel_(p, request), y_(p.sh, p.dh), x_(p.sw, p.dw) {
  const std::int64_t tile = y_.stride == shape.stride ? shape.out_rows : 1;
  for (std::int64_t m = 0; m < std::min(y_.residues, p.oh()); ++m) {
    const std::int64_t rows = (p.oh() - m - 1) / y_.residues + 1;
    const std::int64_t groups = ceil_div(rows, tile > 0 ? tile : height);
    for (std::int64_t g = 0, row = 0; g < groups; ++g) {
      const std::int64_t balanced = (rows - row + groups - g - 1) / (groups - g);
      const std::int64_t count = std::min(rows - row, tile > 0 ? tile : balanced);
      groups_.push_back({m + row * y_.residues, count});
      row += count;
    }
  }
  for (std::int64_t m = 0; m < std::min(x_.residues, p.ow()); ++m) {
    const std::int64_t x = m * p.sw - p.pl;
    columns_.push_back({x, ceil_div(-x, p.dw), ceil_div(p.iw - x, p.dw),
                        (p.ow() - m - 1) / x_.residues + 1});
  }
}

void StripPlan::begin_group(const Conv2dRun& run, std::int64_t image, std::int64_t group,
                            ConvStrip* strip, const float** rows) const {
  const RowGroup& g = groups_[group];
  const std::int64_t src_row = p_.iw * pixel_.src;
  std::int64_t y = g.first * p_.sh - p_.pt;
  for (std::int64_t i = 0; i < p_.kh + (g.count - 1) * y_.stride; ++i, y += p_.dh) {
    const bool inside = y >= 0 && y < p_.ih;
    rows[i] = !inside        ? nullptr
              : run.src_rows ? run.src_rows[y]
                             : run.src + (image * p_.ih + y) * src_row;
    strip->padded_rows = strip->padded_rows || !inside;
  }
  strip->rows = rows;
  strip->out_rows = g.count;
  strip->kh = p_.kh;
  strip->kw = p_.kw;
  strip->stride = x_.stride;
  strip->src_step = p_.dw * pixel_.src;
  strip->dst_row = y_.residues * p_.ow() * pixel_.dst;
  strip->dst_col = x_.residues * pixel_.dst;
  strip->residual_row = y_.residues * p_.ow() * pixel_.residual;
  strip->residual_col = x_.residues * pixel_.residual;
}

void StripPlan::set_columns(const Conv2dRun& run, std::int64_t image, std::int64_t group,
                            std::size_t residue, std::int64_t src_channel,
                            std::int64_t dst_channel, ConvStrip* strip) const {
  const Columns& columns = columns_[residue];
  const std::int64_t at = origin(run, image, group) + static_cast<std::int64_t>(residue);
  strip->first = columns.first_tap;
  strip->last = columns.last_tap;
  strip->count = columns.count;
  strip->origin = columns.src * pixel_.src + src_channel;
  strip->dst = run.dst + at * pixel_.dst + dst_channel;
  strip->residual = run.residual ? run.residual + at * pixel_.residual + dst_channel : nullptr;
}

void StripPlan::activate(const Conv2dRun& run, const Activation& activation, Isa cap,
                         std::int64_t image, std::int64_t group) const {
  for (std::int64_t j = 0; j < groups_[group].count; ++j)
    activate_rows(activation, cap,
                  run.dst + (origin(run, image, group) + j * y_.residues * p_.ow()) * pixel_.dst,
                  p_.ow(), p_.oc, pixel_.dst);
}

}  // namespace pyconv
