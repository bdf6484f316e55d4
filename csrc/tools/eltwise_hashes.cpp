// Prints a hash of what every registry row of the eltwise, softmax, lrn and resize families gives on
// fixed inputs: what two machines, or one and an emulator, compare.
//
//     function isa hash
//
// Half of the inputs are bit patterns at random, NaN, infinities and subnormals among them. All NaN
// count as one. Exits with 1 when two rows of one function differ.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/lrn/lrn.h"
#include "kernels/resize/resize.h"
#include "kernels/softmax/softmax.h"

namespace {

using namespace pyconv;
using Floats = std::vector<float>;

constexpr std::int64_t kCount = 4070;   // 110 rows of 37
constexpr std::int64_t kLength = 37;

// The generator of exact_hashes.cpp, taken as bits and as numbers in turn.
class Patterns {
 public:
  Floats take() {
    Floats values(static_cast<std::size_t>(kCount));
    for (std::size_t i = 0; i < values.size(); ++i) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const std::uint32_t bits = static_cast<std::uint32_t>(state_ >> 32);
      if (i % 2 == 0)
        std::memcpy(&values[i], &bits, sizeof bits);
      else
        values[i] = static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-24f;
    }
    return values;
  }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15u;
};

class Hash {
 public:
  void add(const Floats& values) {
    for (float value : values) {
      std::uint32_t bits;
      std::memcpy(&bits, &value, sizeof bits);
      if (value != value) bits = 0x7fc00000u;
      for (int byte = 0; byte < 4; ++byte) {
        state_ ^= bits >> (8 * byte) & 0xffu;
        state_ *= 1099511628211u;
      }
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 14695981039346656037u;
};

// Prints lines and remembers the first hash of each function.
class Lines {
 public:
  void put(const std::string& function, Isa isa, const Hash& hash) {
    std::printf("%s %s %016llx\n", function.c_str(), isa_name(isa),
                static_cast<unsigned long long>(hash.value()));
    agreed_ = seen_.emplace(function, hash.value()).first->second == hash.value() && agreed_;
  }
  bool agreed() const { return agreed_; }

 private:
  std::map<std::string, std::uint64_t> seen_;
  bool agreed_ = true;
};

bool runs(const KernelInfo& info) { return isa_allowed(info.isa, cpu().best); }

void hash_eltwise(const EltwiseKernel& row, const Floats& x, const Floats& p, const Floats& q,
                  Lines* lines) {
  Floats y(x.size());
  Hash hash;
  EltwiseArgs args;
  args.src = x.data();
  args.dst = y.data();
  args.n = kCount;
  args.p = args.q = &p[1];
  row.fns->uniform(args);
  hash.add(y);
  if (row.fns->per_element) {
    args.p = p.data();
    args.q = q.data();
    row.fns->per_element(args);
    hash.add(y);
  }
  const std::string name = row.info.name;
  lines->put(name.substr(0, name.rfind("_f32_")), row.info.isa, hash);
}

void hash_softmax(const SoftmaxKernel& row, const Floats& x, Lines* lines) {
  for (const bool log : {false, true}) {
    Floats y(x.size());
    Hash rows, columns;
    SoftmaxArgs args;
    args.src = x.data();
    args.dst = y.data();
    args.length = kLength;
    args.log = log;
    args.rows = kCount / kLength;
    row.fns->rows(args);
    rows.add(y);
    lines->put(log ? "log_softmax" : "softmax", row.info.isa, rows);
    args.stride = args.columns = static_cast<int>(kCount / kLength);
    row.fns->columns(args);
    columns.add(y);
    lines->put(log ? "log_softmax_columns" : "softmax_columns", row.info.isa, columns);
  }
}

void hash_lrn(const LrnKernel& row, const Floats& x, Lines* lines) {
  Floats y(static_cast<std::size_t>(kLength));
  Hash hash;
  LrnArgs args;
  args.window = args.src = x.data();
  args.dst = y.data();
  args.n = args.stride = kLength;
  args.count = 5;
  args.scale = 0.25f;
  args.k = 1.0f;
  for (const float beta : {0.75f, 0.5f, -2.0f, 7.0f}) {
    args.beta = beta;
    row.run(args);
    hash.add(y);
  }
  lines->put("lrn", row.info.isa, hash);
}

void hash_lerp(const LerpKernel& row, const Floats& a, const Floats& b, const Floats& w,
               Lines* lines) {
  Floats y(a.size());
  Hash hash;
  const LerpArgs args{a.data(), b.data(), w.data(), y.data(), kCount};
  row.fns->uniform(args);
  hash.add(y);
  row.fns->per_element(args);
  hash.add(y);
  lines->put("lerp", row.info.isa, hash);
}

}  // namespace

int main() {
  Patterns patterns;
  const Floats x = patterns.take(), p = patterns.take(), q = patterns.take();
  Floats tame = x;  // a NaN would leave nothing to compare of a sum
  for (float& value : tame)
    if (!(value > -100.0f && value < 100.0f)) value = 1.5f;
  Lines lines;
  const auto fast = [](const KernelInfo& info) {  // other bits on each ISA
    return std::string(info.name).find("_fast_") != std::string::npos;
  };
  for (const EltwiseKernel& row : eltwise_kernels())
    if (runs(row.info) && !fast(row.info)) hash_eltwise(row, x, p, q, &lines);
  for (const SoftmaxKernel& row : softmax_kernels())
    if (runs(row.info)) hash_softmax(row, tame, &lines);
  for (const LrnKernel& row : lrn_kernels())
    if (runs(row.info)) hash_lrn(row, tame, &lines);
  for (const LerpKernel& row : lerp_kernels())
    if (runs(row.info)) hash_lerp(row, x, p, q, &lines);
  return lines.agreed() ? 0 : 1;
}
