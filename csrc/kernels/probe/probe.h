// What this machine can do: the two ceilings of its roofline, measured by loops that do nothing else.
//
//   fma     acc_j = a * b + acc_j on 12 independent accumulators, operands in registers. 12 covers a
//           latency of 4 (or 5) cycles on 2 pipes. 2 FLOPs per lane and FMA.
//   read    sum of src[0, n)              4 n bytes move
//   copy    dst[0, n) = src[0, n)         8 n bytes move (the line that a store reads first is not
//                                         counted: it is the cost that a kernel sees too)
//   scale   dst[0, n) = factor * dst      8 n bytes move
//
// n is a multiple of kProbeFloats, buffers are aligned to 64 bytes. `scalar` has no fused
// instruction on the x86-64 baseline: its fma loop multiplies and adds apart.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"

namespace pyconv {

constexpr std::int64_t kProbeFloats = 128;
constexpr int kProbeAccumulators = 12;

struct ProbeKernels {
  const char* name;
  Isa isa;
  int lanes;
  float (*fma)(std::int64_t iterations);
  float (*read)(const float* src, std::int64_t n);
  void (*copy)(float* dst, const float* src, std::int64_t n);
  void (*scale)(float* dst, float factor, std::int64_t n);
};

#define PYCONV_PROBE_KERNEL(ns, built) \
  namespace ns {                        \
  extern const ProbeKernels probe_f32;  \
  }
#include "kernels/probe/probe_kernels.inc"
#undef PYCONV_PROBE_KERNEL

// The kernels built into this library that this CPU runs, slowest ISA first.
std::vector<const ProbeKernels*> probe_kernels();

// GFLOP/s of slices of about a millisecond each, for about `seconds`. Throws InvalidArgument when
// this CPU or build lacks `isa`.
std::vector<double> probe_fma(Isa isa, double seconds);

// GB/s (1e9 bytes) of `kind` (read, copy, scale) over a footprint of `bytes`: the source for read,
// source and destination together for copy. Likewise in slices; the first pass is not counted.
std::vector<double> probe_bandwidth(Isa isa, const std::string& kind, std::size_t bytes,
                                    double seconds);

// GHz, likewise in slices: a chain of shifts and additions, each of which takes one cycle on x86-64
// and, as one instruction of two cycles, on AArch64.
std::vector<double> probe_clock(double seconds);

}  // namespace pyconv
