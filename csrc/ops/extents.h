// Checks of sizes that operators share. No size may pass 2^40, no product of sizes 2^58: sums and
// small multiples of them then stay far from overflow.
#pragma once
#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "base/thread_pool.h"

namespace pyconv {

// Throws InvalidArgument unless least <= value <= 2^40.
void need_extent(const char* argument, std::int64_t value, std::int64_t least);

// Throws InvalidArgument when the product passes 2^58; `what` names the array.
void need_elements(const char* what, std::initializer_list<std::int64_t> factors);

// Threads that work of so many cycles is worth.
inline int threads_for(double cycles, int threads) {
  return static_cast<int>(std::min<double>(threads, 1.0 + cycles / cycles_worth_a_thread()));
}

}  // namespace pyconv
