// Target regions: the only way ISA-specific code enters this project (ARCHITECTURE, decision 3).
//
// Between BEGIN and END every function, including those of headers included there, may use the
// instructions of the region. Include standard headers before the region, never inside it.
#pragma once

#if defined(__FAST_MATH__)
#error "pyconv relies on IEEE semantics: build without -ffast-math"
#endif

#if (defined(__x86_64__) || defined(_M_X64)) && !defined(PYCONV_BASELINE_ONLY)
#define PYCONV_X86 1
#else
#define PYCONV_X86 0
#endif

#if defined(__aarch64__)
#define PYCONV_ARM64 1
#else
#define PYCONV_ARM64 0
#endif

#define PYCONV_PRAGMA_(x) _Pragma(#x)
#define PYCONV_PRAGMA(x) PYCONV_PRAGMA_(x)

#if defined(__clang__)
#define PYCONV_BEGIN_TARGET_(features) \
  PYCONV_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define PYCONV_END_TARGET _Pragma("clang attribute pop")
#else
#define PYCONV_BEGIN_TARGET_(features) \
  _Pragma("GCC push_options") PYCONV_PRAGMA(GCC target(features))
#define PYCONV_END_TARGET _Pragma("GCC pop_options")
#endif

#if PYCONV_X86
// GCC 12 takes the "undefined" operand of its own AVX-512 intrinsics for an uninitialised variable.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#define PYCONV_BEGIN_TARGET_AVX2 PYCONV_BEGIN_TARGET_("avx2,fma")
#define PYCONV_BEGIN_TARGET_AVX512 \
  PYCONV_BEGIN_TARGET_("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")
#endif
#if PYCONV_ARM64
#include <arm_neon.h>
#endif

#define PYCONV_INLINE inline __attribute__((always_inline))

// Scalar and NEON kernels run on the baseline: their region changes nothing, and ends like the rest.
#define PYCONV_BEGIN_TARGET_SCALAR PYCONV_BEGIN_TARGET_BASELINE_
#define PYCONV_BEGIN_TARGET_NEON PYCONV_BEGIN_TARGET_BASELINE_
#if defined(__clang__)
#define PYCONV_BEGIN_TARGET_BASELINE_ \
  PYCONV_PRAGMA(clang attribute push(__attribute__((annotate("baseline"))), apply_to = function))
#else
#define PYCONV_BEGIN_TARGET_BASELINE_ _Pragma("GCC push_options")
#endif
