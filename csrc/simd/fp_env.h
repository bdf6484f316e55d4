// The floating-point environment of an operation: round to nearest, no flushing of subnormals
// (FTZ/DAZ, on ARM FZ), default NaNs off, exceptions masked; what was there comes back at the end.
//
// ops sets it once on the calling thread; parallel_for hands the caller's environment to its
// workers. Include it outside target regions.
#pragma once
#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#if !defined(__GNUC__)
#include <xmmintrin.h>
#endif
#define PYCONV_FP_ENV_X86 1
#endif

namespace pyconv {

class FpEnvScope {
 public:
  FpEnvScope() : saved_(read()) {
    if ((saved_ & kControlMask) != kWanted) write(kWanted);
  }
  // An environment that already was as wanted is left alone, with the exception flags it gathered.
  ~FpEnvScope() {
    if ((saved_ & kControlMask) != kWanted) write(saved_);
  }
  FpEnvScope(const FpEnvScope&) = delete;
  FpEnvScope& operator=(const FpEnvScope&) = delete;

 private:
#if defined(PYCONV_FP_ENV_X86)
  using Word = std::uint32_t;
  static constexpr Word kWanted = 0x1f80;       // MXCSR after reset
  static constexpr Word kControlMask = 0xffc0;  // all but the sticky exception flags
#if defined(__GNUC__)
  static Word read() {
    Word word;
    __asm__ __volatile__("stmxcsr %0" : "=m"(word) : : "memory");
    return word;
  }
  static void write(Word word) { __asm__ __volatile__("ldmxcsr %0" : : "m"(word) : "memory"); }
#else
  static Word read() { return _mm_getcsr(); }
  static void write(Word word) { _mm_setcsr(word); }
#endif
#elif defined(__aarch64__) && defined(__GNUC__)
  using Word = std::uint64_t;
  static constexpr Word kWanted = 0;
  // FPCR: FIZ, AH, NEP, trap enables, FZ16, rounding mode, FZ, DN, AHP.
  static constexpr Word kControlMask = 0x7c89f07;
  static Word read() {
    Word word;
    __asm__ __volatile__("mrs %0, fpcr" : "=r"(word) : : "memory");
    return word;
  }
  static void write(Word word) { __asm__ __volatile__("msr fpcr, %0" : : "r"(word) : "memory"); }
#else
#error "pyconv: no floating-point environment for this architecture"
#endif

  const Word saved_;
};

}  // namespace pyconv
