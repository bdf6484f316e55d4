// Identification of an x86 CPU from the raw answers of CPUID and XGETBV, kept apart from the
// instructions themselves so that tests can feed it other CPUs.
#pragma once
#include <cstdint>

#include "base/cpu.h"

namespace pyconv {

struct CpuidRegisters {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

struct X86Probe {
  CpuidRegisters (*cpuid)(std::uint32_t leaf, std::uint32_t subleaf);
  std::uint64_t (*xcr0)();  // called only where CPUID says OSXSAVE
};

// Asks only for leaves that the CPU says it has. Cache sizes it can't tell come back as 0.
CpuInfo identify_x86(const X86Probe& probe);

// The probe of the CPU we run on; null members where this isn't an x86 build.
X86Probe native_x86_probe();

}  // namespace pyconv
