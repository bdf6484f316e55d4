#include "base/cpu.h"

#include <cstdlib>
#include <fstream>

#include "base/cpu_x86.h"

namespace pyconv {
namespace {

constexpr const char* kIsaNames[] = {"scalar", "avx2", "avx512", "neon"};

std::string read_word(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// "48K", "32M" or plain bytes, as sysfs writes them; 0 for anything else.
std::size_t parse_size(const std::string& word) {
  char* end = nullptr;
  const unsigned long long value = std::strtoull(word.c_str(), &end, 10);
  const int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
  return static_cast<std::size_t>(value) << shift;
}

void fill_caches_from_sysfs(CpuInfo* info) {
  for (int index = 0; index < 8; ++index) {
    const std::string dir =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string level = read_word(dir + "level");
    if (level.empty()) return;
    if (read_word(dir + "type") == "Instruction") continue;
    std::size_t* bytes = level == "1"   ? &info->l1d_bytes
                         : level == "2" ? &info->l2_bytes
                         : level == "3" ? &info->l3_bytes
                                        : nullptr;
    if (bytes && *bytes == 0) *bytes = parse_size(read_word(dir + "size"));
  }
}

#if defined(__aarch64__)
CpuInfo identify_architecture() {
  CpuInfo info;
  info.l1d_bytes = info.l2_bytes = info.l3_bytes = 0;
  info.best = Isa::neon;
  info.has_fma = true;
  const std::string id = read_word("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1");
  const unsigned long long midr = std::strtoull(id.c_str(), nullptr, 16);
  if (midr == 0) return info;
  const int implementer = static_cast<int>(midr >> 24 & 0xff);
  info.vendor = implementer == 0x41   ? "ARM"
                : implementer == 0x61 ? "Apple"
                                      : "implementer " + std::to_string(implementer);
  info.family = static_cast<int>(midr >> 16 & 0xf);  // architecture field
  info.model = static_cast<int>(midr >> 4 & 0xfff);  // part number
  info.stepping = static_cast<int>(midr & 0xf);
  return info;
}
#else
CpuInfo identify_architecture() { return identify_x86(native_x86_probe()); }
#endif

CpuInfo identify() {
  CpuInfo info = identify_architecture();
  const CpuInfo defaults;
  if (!info.l1d_bytes || !info.l2_bytes || !info.l3_bytes) fill_caches_from_sysfs(&info);
  if (!info.l1d_bytes) info.l1d_bytes = defaults.l1d_bytes;
  if (!info.l2_bytes) info.l2_bytes = defaults.l2_bytes;
  // No L3 means that the last level is L2.
  if (!info.l3_bytes) info.l3_bytes = info.l2_bytes;
  return info;
}

struct Cap {
  Isa isa;
  std::string error;
};

Cap read_cap() {
  const Isa best = cpu().best;
  const char* value = std::getenv("PYCONV_MAX_ISA");
  if (!value || !*value) return {best, std::string()};
  Isa wanted;
  if (!parse_isa(value, &wanted))
    return {best, "PYCONV_MAX_ISA: expected scalar, avx2, avx512 or neon, got '" +
                      std::string(value) + "'; no cap set"};
  return {lower_isa(best, wanted), std::string()};
}

}  // namespace

const char* isa_name(Isa isa) { return kIsaNames[static_cast<int>(isa)]; }

bool parse_isa(const std::string& name, Isa* isa) {
  for (int i = 0; i < 4; ++i) {
    if (name != kIsaNames[i]) continue;
    *isa = static_cast<Isa>(i);
    return true;
  }
  return false;
}

// Both objects are leaked: threads may still ask while static destructors run.
const CpuInfo& cpu() {
  static const CpuInfo* const info = new CpuInfo(identify());
  return *info;
}

double fmas_per_cycle(Isa isa) {
  return isa == Isa::avx512 && cpu().simd_bits < 512 ? 1.0 : 2.0;
}

Isa max_isa(std::string* error) {
  static const Cap* const cap = new Cap(read_cap());
  if (error && !cap->error.empty()) *error = cap->error;
  return cap->isa;
}

bool isa_allowed(Isa isa, Isa cap) {
  return isa == Isa::scalar || isa == cap || (isa == Isa::avx2 && cap == Isa::avx512);
}

Isa lower_isa(Isa a, Isa b) {
  if (isa_allowed(a, b)) return a;
  return isa_allowed(b, a) ? b : Isa::scalar;
}

}  // namespace pyconv
