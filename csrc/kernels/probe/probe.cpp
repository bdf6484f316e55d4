#include "kernels/probe/probe.h"

#include <algorithm>
#include <chrono>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "base/target_region.h"

namespace pyconv {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kSliceSeconds = 1e-3;
volatile float g_sink;
volatile std::uint64_t g_chain = 1;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

const ProbeKernels& find(Isa isa) {
  for (const ProbeKernels* kernels : probe_kernels())
    if (kernels->isa == isa) return *kernels;
  throw InvalidArgument(std::string("isa: expected one that this CPU and this build have, got ") +
                        isa_name(isa));
}

// Rates of slices of repeat(count), where one count is `work` units; `count` is set on a warm run.
template <class Repeat>
std::vector<double> rates(Repeat repeat, double work, double seconds) {
  if (!(seconds >= 0.0 && seconds <= 60.0))
    throw InvalidArgument("seconds: expected 0 to 60, got " + std::to_string(seconds));
  std::int64_t count = 1;
  for (;;) {
    const Clock::time_point start = Clock::now();
    repeat(count);
    const double spent = seconds_since(start);
    if (spent >= kSliceSeconds / 2) {
      count = std::max<std::int64_t>(
          1, static_cast<std::int64_t>(static_cast<double>(count) * kSliceSeconds / spent));
      break;
    }
    count *= 2;
  }
  std::vector<double> result;
  const Clock::time_point began = Clock::now();
  do {
    const Clock::time_point start = Clock::now();
    repeat(count);
    result.push_back(work * static_cast<double>(count) / seconds_since(start) * 1e-9);
  } while (seconds_since(began) < seconds);
  return result;
}

}  // namespace

std::vector<const ProbeKernels*> probe_kernels() {
  std::vector<const ProbeKernels*> found;
#define PYCONV_PROBE_KERNEL(ns, built) \
  if constexpr (built)                  \
    if (isa_allowed(ns::probe_f32.isa, cpu().best)) found.push_back(&ns::probe_f32);
#include "kernels/probe/probe_kernels.inc"
#undef PYCONV_PROBE_KERNEL
  return found;
}

std::vector<double> probe_fma(Isa isa, double seconds) {
  const ProbeKernels& kernels = find(isa);
  constexpr std::int64_t kBlock = 1024;
  const double flops = 2.0 * kProbeAccumulators * kernels.lanes * static_cast<double>(kBlock);
  return rates([&](std::int64_t count) { g_sink = kernels.fma(count * kBlock); }, flops, seconds);
}

std::vector<double> probe_clock(double seconds) {
  constexpr std::int64_t kBlock = 1024;
  const auto chain = [](std::int64_t count) {
    const std::uint64_t step = g_chain;
    std::uint64_t x = step;
    for (std::int64_t i = 0; i < count * kBlock; ++i) x = (x >> 1) + step;
    g_chain = x | 1;
  };
  return rates(chain, 2.0 * static_cast<double>(kBlock), seconds);
}

std::vector<double> probe_bandwidth(Isa isa, const std::string& kind, std::size_t bytes,
                                    double seconds) {
  const ProbeKernels& kernels = find(isa);
  const bool copies = kind == "copy";
  if (!copies && kind != "read" && kind != "scale")
    throw InvalidArgument("kind: expected read, copy or scale, got " + kind);
  constexpr std::size_t kUnit = kProbeFloats * sizeof(float);
  if (bytes < 2 * kUnit || bytes > (std::size_t{1} << 32))
    throw InvalidArgument("bytes: expected 1024 to 2^32, got " + std::to_string(bytes));
  const std::size_t part = bytes / (copies ? 2 : 1) / kUnit * kUnit;
  const std::int64_t n = static_cast<std::int64_t>(part / sizeof(float));
  AlignedBuffer dst(part), src(copies ? part : 0);
  std::fill_n(dst.floats(), n, 1.0f);
  if (copies) std::fill_n(src.floats(), n, 1.0f);
  const auto pass = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      if (copies)
        kernels.copy(dst.floats(), src.floats(), n);
      else if (kind == "read")
        g_sink = kernels.read(dst.floats(), n);
      else
        kernels.scale(dst.floats(), 1.0f, n);
    }
  };
  return rates(pass, static_cast<double>(part) * (kind == "read" ? 1.0 : 2.0), seconds);
}

}  // namespace pyconv
