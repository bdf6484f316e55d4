// What this CPU is and may run. Filled once, on first use.
#pragma once
#include <cstddef>
#include <string>

namespace pyconv {

// Feature clusters, never chip names: avx2 means AVX2+FMA, avx512 means F+BW+DQ+VL.
// `scalar` is the floor that every CPU runs.
enum class Isa : int { scalar = 0, avx2 = 1, avx512 = 2, neon = 3 };

const char* isa_name(Isa isa);
// False when `name` is no ISA; `isa` is then untouched.
bool parse_isa(const std::string& name, Isa* isa);

struct CpuInfo {
  std::string vendor;  // "AuthenticAMD"
  std::string brand;   // marketing name, may be empty
  int family = 0, model = 0, stepping = 0;
  std::size_t l1d_bytes = 32 << 10, l2_bytes = 512 << 10, l3_bytes = 4 << 20;
  bool has_fma = false;
  int simd_bits = 128;  // width of the floating-point data path: wider vectors take several passes
  Isa best = Isa::scalar;
};

const CpuInfo& cpu();

// Fused multiply-adds of whole vectors that the CPU begins in a cycle: two pipes, as wide as they are.
double fmas_per_cycle(Isa isa);

// The cap in force: the best ISA of the CPU, lowered by PYCONV_MAX_ISA. An unknown value of the
// variable leaves a sentence in *error (if given) and counts as no cap. The variable is read once.
Isa max_isa(std::string* error = nullptr);

// May code of `isa` run when the cap is `cap`? True for scalar always.
bool isa_allowed(Isa isa, Isa cap);

// The better ISA of those that both caps allow: scalar when they belong to different architectures.
Isa lower_isa(Isa a, Isa b);

}  // namespace pyconv
