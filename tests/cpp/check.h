// The whole test framework of the stand-alone C++ tests: CHECK prints and counts, finish() reports.
#pragma once
#include <atomic>
#include <cstdio>

namespace check {

inline std::atomic<int> failures{0};

inline int finish(const char* what) {
  if (failures != 0) std::fprintf(stderr, "%s: %d checks failed\n", what, failures.load());
  return failures == 0 ? 0 : 1;
}

}  // namespace check

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      ++check::failures;                                                           \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
    }                                                                              \
  } while (0)
