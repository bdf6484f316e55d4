#include "ops/extents.h"

#include <string>

#include "base/status.h"

namespace pyconv {

namespace {
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 58;
}  // namespace

void need_extent(const char* argument, std::int64_t value, std::int64_t least) {
  if (value >= least && value <= kMaxExtent) return;
  throw InvalidArgument(std::string(argument) + ": expected " +
                        (value < least ? "a size of " + std::to_string(least) + " or more"
                                       : "a size of at most 2^40") +
                        ", got " + std::to_string(value));
}

void need_elements(const char* what, std::initializer_list<std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (factor == 0) return;
    if (product > kMaxElements / factor)
      throw InvalidArgument(std::string(what) + ": more than 2^58 elements");
    product *= factor;
  }
}

}  // namespace pyconv
