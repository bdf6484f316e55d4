// Prints a hash of the exact-mode bits of every algorithm on every instruction set of this CPU, over a
// fixed list of small problems: what two machines, or one and an emulator, compare.
//
//     problem algorithm isa hash
//
// Exits with 1 when two lines of one problem differ.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "ops/conv2d/plan.h"

namespace {

using namespace pyconv;

const char* const kProblems[] = {
    "ic1oc1_ih8kh3",
    "ic3oc17_ih9kh3sh2ph1",
    "mb2ic16oc33_ih7kh1",
    "ic37oc5_ih6iw11kh1sh2",
    "ic8oc24_ih12kh3ph1dh2",
    "ic5oc70_ih10kh5ph2sh2sw1",
    "mb3ic20oc20_ih5kh3pt0pl1pb1pr0",
    "g4ic8oc12_ih9kh3ph1",
    "g32ic32oc32_ih9kh3ph1",
    "g19ic19oc19_ih8iw13kh5ph2sh2",
    "g6ic6oc18_ih7kh3ph1",
    "g2ic34oc6_ih6kh2kw3",
    "ic130oc2_ih5kh3ph1",
    "ic1500oc3_ih2kh1",
};

// A linear congruential generator (Knuth, MMIX): the same values on every machine and library.
class Values {
 public:
  explicit Values(std::uint64_t seed) : state_(seed) {}
  // Reals of either sign over eight binades, every 16th a zero.
  float next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    const std::uint32_t bits = static_cast<std::uint32_t>(state_ >> 32);
    if ((bits & 15u) == 0) return (bits & 16u) ? -0.0f : 0.0f;
    const float fraction = static_cast<float>(bits >> 8) / 16777216.0f - 0.5f;
    return fraction * static_cast<float>(1 << (bits >> 5 & 7u));
  }
  std::vector<float> take(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = next();
    return values;
  }

 private:
  std::uint64_t state_;
};

std::uint64_t fnv1a(const std::vector<float>& values) {
  std::uint64_t hash = 14695981039346656037u;
  for (float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int byte = 0; byte < 4; ++byte) {
      hash ^= bits >> (8 * byte) & 0xffu;
      hash *= 1099511628211u;
    }
  }
  return hash;
}

std::uint64_t run(const Conv2dProblem& p, const Conv2dRequest& request, const char* algorithm) {
  Values values(0x9e3779b97f4a7c15u);
  const std::vector<float> src = values.take(p.src_size());
  const std::vector<float> weight = values.take(p.weight_size());
  const std::vector<float> bias = values.take(p.oc);
  std::vector<float> dst(static_cast<std::size_t>(p.dst_size()));
  const Conv2dPlan plan(p, request, algorithm, weight.data(), bias.data());
  const AlignedBuffer workspace(plan.workspace_bytes());
  plan.run(src.data(), dst.data(), workspace.data());
  return fnv1a(dst);
}

bool check(const char* text) {
  const Conv2dProblem p = Conv2dProblem::parse(text);
  bool agreed = true, first = true;
  std::uint64_t expected = 0;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon}) {
    if (!isa_allowed(isa, cpu().best)) continue;
    for (const Conv2dAlgorithm& algorithm : conv2d_algorithms()) {
      Conv2dRequest request;
      request.accuracy = Accuracy::exact;
      request.src_layout = request.dst_layout = Layout::nchw;
      request.max_isa = isa;
      if (!consider_conv2d(algorithm, p, request).accepted) continue;
      for (int threads : {1, 3}) {
        request.threads = threads;
        const std::uint64_t hash = run(p, request, algorithm.name);
        if (first) expected = hash;
        first = false;
        agreed = agreed && hash == expected;
        std::printf("%s %s %s %016llx\n", text, algorithm.name, isa_name(isa),
                    static_cast<unsigned long long>(hash));
      }
    }
  }
  return agreed;
}

}  // namespace

int main() {
  bool agreed = true;
  for (const char* text : kProblems) agreed = check(text) && agreed;
  return agreed ? 0 : 1;
}
