#include "base/cpu_x86.h"

#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#include <immintrin.h>
#endif

namespace pyconv {
namespace {

constexpr std::uint32_t kExtended = 0x80000000u;
constexpr std::uint64_t kYmmState = 0x06;  // XCR0: SSE and AVX state
constexpr std::uint64_t kZmmState = 0xe6;  // and opmask, upper halves, registers 16..31

bool bit(std::uint32_t word, int index) { return (word >> index & 1u) != 0; }

std::string text(const std::uint32_t* words, int count) {
  char bytes[49] = {};
  std::memcpy(bytes, words, static_cast<std::size_t>(count) * 4);
  std::string result(bytes);
  const std::size_t first = result.find_first_not_of(' ');
  if (first == std::string::npos) return std::string();
  return result.substr(first, result.find_last_not_of(' ') - first + 1);
}

void set_signature(std::uint32_t signature, CpuInfo* info) {
  const int base_family = static_cast<int>(signature >> 8 & 0xf);
  info->family = base_family;
  info->model = static_cast<int>(signature >> 4 & 0xf);
  info->stepping = static_cast<int>(signature & 0xf);
  if (base_family == 0xf) info->family += static_cast<int>(signature >> 20 & 0xff);
  if (base_family == 0xf || base_family == 6)
    info->model += static_cast<int>(signature >> 16 & 0xf) << 4;
}

void set_isa(const X86Probe& probe, std::uint32_t max_leaf, CpuInfo* info) {
  const CpuidRegisters leaf1 = probe.cpuid(1, 0);
  const bool os_saves = bit(leaf1.ecx, 27);
  const std::uint64_t state = os_saves ? probe.xcr0() : 0;
  if (!bit(leaf1.ecx, 28) || (state & kYmmState) != kYmmState) return;
  info->has_fma = bit(leaf1.ecx, 12);
  if (!info->has_fma || max_leaf < 7) return;
  const CpuidRegisters leaf7 = probe.cpuid(7, 0);
  if (!bit(leaf7.ebx, 5)) return;
  info->best = Isa::avx2;
  const bool avx512 =
      bit(leaf7.ebx, 16) && bit(leaf7.ebx, 17) && bit(leaf7.ebx, 30) && bit(leaf7.ebx, 31);
  if (avx512 && (state & kZmmState) == kZmmState) info->best = Isa::avx512;
}

// AMD says how wide its data path is; a CPU that says nothing is taken at its vectors' width.
void set_data_path(std::uint32_t optimization, CpuInfo* info) {
  const bool only256 = bit(optimization, 2) && !bit(optimization, 3);
  info->simd_bits = info->best == Isa::avx512 && !only256 ? 512 : info->best >= Isa::avx2 ? 256 : 128;
}

// Leaf 4 (Intel) and leaf 0x8000001d (AMD) share one format: a cache per subleaf.
void set_caches(const X86Probe& probe, std::uint32_t leaf, CpuInfo* info) {
  for (std::uint32_t subleaf = 0; subleaf < 16; ++subleaf) {
    const CpuidRegisters r = probe.cpuid(leaf, subleaf);
    const std::uint32_t type = r.eax & 0x1f;  // 0 end, 1 data, 2 instruction, 3 unified
    if (type == 0) return;
    if (type == 2) continue;
    const std::size_t ways = (r.ebx >> 22) + 1, partitions = (r.ebx >> 12 & 0x3ff) + 1;
    const std::size_t line = (r.ebx & 0xfff) + 1, sets = static_cast<std::size_t>(r.ecx) + 1;
    const std::size_t bytes = ways * partitions * line * sets;
    switch (r.eax >> 5 & 7) {
      case 1:
        info->l1d_bytes = bytes;
        break;
      case 2:
        info->l2_bytes = bytes;
        break;
      case 3:
        info->l3_bytes = bytes;
        break;
      default:
        break;
    }
  }
}

}  // namespace

CpuInfo identify_x86(const X86Probe& probe) {
  CpuInfo info;
  info.l1d_bytes = info.l2_bytes = info.l3_bytes = 0;
  if (!probe.cpuid) return info;
  const CpuidRegisters leaf0 = probe.cpuid(0, 0);
  const std::uint32_t vendor[] = {leaf0.ebx, leaf0.edx, leaf0.ecx};
  info.vendor = text(vendor, 3);
  if (leaf0.eax >= 1) {
    set_signature(probe.cpuid(1, 0).eax, &info);
    set_isa(probe, leaf0.eax, &info);
  }
  // A CPU without extended leaves answers with something that isn't one.
  std::uint32_t max_extended = probe.cpuid(kExtended, 0).eax;
  if (max_extended < kExtended || max_extended > kExtended + 0xffff) max_extended = 0;
  if (max_extended >= kExtended + 4) {
    CpuidRegisters brand[3];
    for (std::uint32_t i = 0; i < 3; ++i) brand[i] = probe.cpuid(kExtended + 2 + i, 0);
    std::uint32_t words[12];
    std::memcpy(words, brand, sizeof(words));
    info.brand = text(words, 12);
  }
  set_data_path(max_extended >= kExtended + 0x1a ? probe.cpuid(kExtended + 0x1a, 0).eax : 0, &info);
  if (leaf0.eax >= 4) set_caches(probe, 4, &info);
  const bool topology_extensions =
      max_extended >= kExtended + 0x1d && bit(probe.cpuid(kExtended + 1, 0).ecx, 22);
  if (info.l1d_bytes == 0 && topology_extensions) set_caches(probe, kExtended + 0x1d, &info);
  return info;
}

#if defined(_M_X64) && defined(_MSC_VER) && !defined(__clang__)
namespace {
CpuidRegisters native_cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  int r[4];
  __cpuidex(r, static_cast<int>(leaf), static_cast<int>(subleaf));
  CpuidRegisters result;
  std::memcpy(&result, r, sizeof(r));
  return result;
}
std::uint64_t native_xcr0() { return _xgetbv(0); }
}  // namespace
X86Probe native_x86_probe() { return {native_cpuid, native_xcr0}; }
#elif defined(__x86_64__)
namespace {
CpuidRegisters native_cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  CpuidRegisters r;
  __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
  return r;
}
__attribute__((target("xsave"))) std::uint64_t native_xcr0() { return _xgetbv(0); }
}  // namespace
X86Probe native_x86_probe() { return {native_cpuid, native_xcr0}; }
#else
X86Probe native_x86_probe() { return {nullptr, nullptr}; }
#endif

}  // namespace pyconv
