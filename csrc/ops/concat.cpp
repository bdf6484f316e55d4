#include "ops/concat.h"

#include <algorithm>

#include "base/thread_pool.h"

namespace pyconv {

namespace {
constexpr std::int64_t kPiece = 1 << 16;        // floats of one copy
constexpr std::int64_t kWorthThread = 1 << 17;  // floats for which waking a thread pays
}  // namespace

void concat(const std::vector<ConcatPart>& parts, std::int64_t outer, float* dst, int threads) {
  std::int64_t row = 0, longest = 1;
  for (const ConcatPart& part : parts) {
    row += part.run;
    longest = std::max(longest, part.run);
  }
  threads = worthwhile_threads(static_cast<double>(outer * row), kWorthThread, threads);
  // A chunk is one piece of every part of some rows.
  const std::int64_t pieces = (longest + kPiece - 1) / kPiece;
  const std::int64_t group = pieces > 1 ? 1 : std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, row));
  parallel_for((outer + group - 1) / group * pieces, threads, [&](std::int64_t chunk, int) {
    const std::int64_t piece = chunk % pieces, first = chunk / pieces * group;
    for (std::int64_t o = first; o < std::min(outer, first + group); ++o) {
      float* to = dst + o * row;
      for (const ConcatPart& part : parts) {
        const std::int64_t from = part.run * piece / pieces, end = part.run * (piece + 1) / pieces;
        std::copy_n(part.src + o * part.run + from, end - from, to + from);
        to += part.run;
      }
    }
  });
}

}  // namespace pyconv
