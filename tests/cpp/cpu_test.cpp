// Identification of CPUs other than the one at hand, and the floating-point environment.
// With --print: what this process makes of its own CPU, one "name value" per line.
#include "base/cpu.h"

#include <cfenv>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "base/cpu_x86.h"
#include "check.h"
#include "simd/fp_env.h"

namespace {

using pyconv::CpuidRegisters;
using pyconv::Isa;

struct FakeCpu {
  std::uint32_t max_leaf, max_extended, ecx1, ebx7, xcr0;
  std::uint32_t signature = 0;
  bool topology_extensions = false;
  std::uint32_t optimization = 0;
};
FakeCpu fake;
int leaves_out_of_range = 0;

constexpr std::uint32_t kFma = 1u << 12, kOsxsave = 1u << 27, kAvx = 1u << 28;
constexpr std::uint32_t kAvx2 = 1u << 5;
constexpr std::uint32_t kAvx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;

CpuidRegisters fake_cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  CpuidRegisters r;
  const std::uint32_t top = leaf < 0x80000000u ? fake.max_leaf : fake.max_extended;
  if (leaf > top && leaf != 0x80000000u) ++leaves_out_of_range;
  if (leaf == 0) {
    r.eax = fake.max_leaf;
    std::memcpy(&r.ebx, "Test", 4);
    std::memcpy(&r.edx, "ing ", 4);
    std::memcpy(&r.ecx, "CPU ", 4);
  } else if (leaf == 1) {
    r.eax = fake.signature;
    r.ecx = fake.ecx1;
  } else if (leaf == 7) {
    r.ebx = fake.ebx7;
  } else if (leaf == 0x80000000u) {
    r.eax = fake.max_extended;
  } else if (leaf == 0x80000001u) {
    r.ecx = fake.topology_extensions ? 1u << 22 : 0;
  } else if (leaf == 0x8000001au) {
    r.eax = fake.optimization;
  } else if (leaf == 0x8000001du && subleaf < 3) {
    // 32 KiB of data (8 ways x 64 sets x 64 bytes), as much for instructions, 1 MiB of L2.
    const std::uint32_t types[] = {1 | 1 << 5, 2 | 1 << 5, 3 | 2 << 5};
    r.eax = types[subleaf];
    r.ebx = 7u << 22 | 63;
    r.ecx = subleaf == 2 ? 2047 : 63;
  }
  return r;
}
std::uint64_t fake_xcr0() {
  CHECK(fake.ecx1 & kOsxsave);
  return fake.xcr0;
}

pyconv::CpuInfo identify(const FakeCpu& what) {
  fake = what;
  return pyconv::identify_x86({fake_cpuid, fake_xcr0});
}

void isa_needs_cpu_and_os() {
  const std::uint32_t modern = kFma | kOsxsave | kAvx;
  CHECK(identify({0xd, 0, modern, kAvx2 | kAvx512, 0xe7}).best == Isa::avx512);
  CHECK(identify({0xd, 0, modern, kAvx2 | kAvx512, 0x07}).best == Isa::avx2);
  CHECK(identify({0xd, 0, modern, kAvx2 | kAvx512, 0x67}).best == Isa::avx2);
  CHECK(identify({0xd, 0, modern, kAvx2 | kAvx512, 0x03}).best == Isa::scalar);
  CHECK(!identify({0xd, 0, modern, kAvx2 | kAvx512, 0x03}).has_fma);
  CHECK(identify({0xd, 0, modern, kAvx2 | 1u << 16, 0xe7}).best == Isa::avx2);
  CHECK(identify({0xd, 0, modern, kAvx512, 0xe7}).best == Isa::scalar);
  CHECK(identify({0xd, 0, modern & ~kFma, kAvx2 | kAvx512, 0xe7}).best == Isa::scalar);
  CHECK(identify({0xd, 0, modern & ~kOsxsave, kAvx2, 0xe7}).best == Isa::scalar);
}

void old_cpus_answer_few_leaves() {
  for (std::uint32_t leaf = 0; leaf < 8; ++leaf)
    CHECK(identify({leaf, 0, 0, 0, 0}).best == Isa::scalar);
  const pyconv::CpuInfo first_fma = identify({1, 0, kFma | kOsxsave | kAvx, kAvx2, 7});
  CHECK(first_fma.has_fma && first_fma.best == Isa::scalar);
  CHECK(identify({1, 0x12345678, 0, 0, 0}).brand.empty());
  CHECK(pyconv::identify_x86({nullptr, nullptr}).best == Isa::scalar);
  CHECK(leaves_out_of_range == 0);
}

void data_path() {
  FakeCpu zen{0xd, 0x80000020u, kFma | kOsxsave | kAvx, kAvx2 | kAvx512, 0xe7};
  CHECK(identify(zen).simd_bits == 512);
  zen.optimization = 1u << 2;
  CHECK(identify(zen).simd_bits == 256 && identify(zen).best == Isa::avx512);
  zen.optimization = 1u << 3;
  CHECK(identify(zen).simd_bits == 512);
  zen.ebx7 = kAvx2;
  CHECK(identify(zen).simd_bits == 256);
  CHECK(identify({0xd, 0, 0, 0, 0}).simd_bits == 128);
}

void signature_and_caches() {
  FakeCpu zen{0xd, 0x80000020u, 0, 0, 0, 0x00b00f21};
  zen.topology_extensions = true;
  pyconv::CpuInfo info = identify(zen);
  CHECK(info.family == 26 && info.model == 2 && info.stepping == 1);
  CHECK(info.vendor == "Testing CPU");
  CHECK(info.l1d_bytes == 32u << 10 && info.l2_bytes == 1u << 20 && info.l3_bytes == 0);
  zen.topology_extensions = false;
  CHECK(identify(zen).l1d_bytes == 0);
  info = identify({0xd, 0, 0, 0, 0, 0x000906ea});
  CHECK(info.family == 6 && info.model == 0x9e && info.stepping == 10);
}

void caps_only_lower() {
  using pyconv::lower_isa;
  CHECK(lower_isa(Isa::avx2, Isa::avx512) == Isa::avx2);
  CHECK(lower_isa(Isa::avx512, Isa::avx2) == Isa::avx2);
  CHECK(lower_isa(Isa::avx512, Isa::neon) == Isa::scalar);
  CHECK(lower_isa(Isa::scalar, Isa::neon) == Isa::scalar);
  CHECK(lower_isa(Isa::neon, Isa::neon) == Isa::neon);
  CHECK(!pyconv::isa_allowed(Isa::neon, Isa::avx512));
  CHECK(pyconv::isa_allowed(Isa::scalar, Isa::neon));
  Isa isa = Isa::avx2;
  CHECK(!pyconv::parse_isa("AVX512", &isa) && isa == Isa::avx2);
  CHECK(pyconv::parse_isa("neon", &isa) && isa == Isa::neon);
}

float halve_smallest_normal() {
  volatile float smallest = 1.17549435e-38f;
  return smallest * 0.5f;
}
float third() {
  volatile float one = 1.0f;
  return one / 3.0f;
}

#if defined(__x86_64__)
void set_flushing() {
  const std::uint32_t flush = 0x9fc0;
  __asm__ __volatile__("ldmxcsr %0" : : "m"(flush));
}
void set_default() {
  const std::uint32_t reset = 0x1f80;
  __asm__ __volatile__("ldmxcsr %0" : : "m"(reset));
}
#elif defined(__aarch64__)
void set_flushing() { __asm__ __volatile__("msr fpcr, %0" : : "r"(std::uint64_t{1} << 24)); }
void set_default() { __asm__ __volatile__("msr fpcr, %0" : : "r"(std::uint64_t{0})); }
#endif

void fp_env_is_set_and_restored() {
  const float nearest = third();
  std::fesetround(FE_DOWNWARD);
  const float downward = third();
  CHECK(downward < nearest);
  {
    pyconv::FpEnvScope scope;
    CHECK(third() == nearest);
  }
  CHECK(third() == downward);
  std::fesetround(FE_TONEAREST);
  set_flushing();
  CHECK(halve_smallest_normal() == 0.0f);
  {
    pyconv::FpEnvScope scope;
    CHECK(halve_smallest_normal() > 0.0f);
    pyconv::FpEnvScope nested;
    CHECK(halve_smallest_normal() > 0.0f);
  }
  CHECK(halve_smallest_normal() == 0.0f);
  set_default();
}

int print() {
  const pyconv::CpuInfo& cpu = pyconv::cpu();
  std::string error;
  const Isa cap = pyconv::max_isa(&error);
  std::printf("vendor %s\nbrand %s\nfamily %d\nmodel %d\nstepping %d\n", cpu.vendor.c_str(),
              cpu.brand.c_str(), cpu.family, cpu.model, cpu.stepping);
  std::printf("l1d %zu\nl2 %zu\nl3 %zu\nfma %d\n", cpu.l1d_bytes, cpu.l2_bytes, cpu.l3_bytes,
              cpu.has_fma);
  std::printf("best %s\nmax_isa %s\nerror %s\n", pyconv::isa_name(cpu.best), pyconv::isa_name(cap),
              error.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--print") == 0) return print();
  isa_needs_cpu_and_os();
  old_cpus_answer_few_leaves();
  data_path();
  signature_and_caches();
  caps_only_lower();
  fp_env_is_set_and_restored();
  return check::finish("cpu_test");
}
