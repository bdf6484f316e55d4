// Problem -> ordered algorithms -> Plan (ARCHITECTURE, decision 1).
//
// An algorithm is one row of the list in algorithms.cpp and one file beside it: `consider` either
// accepts a Problem with an estimated cost or refuses it in one sentence; `make` packs the weights
// once. Adding an algorithm touches no other.
#pragma once
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "kernels/registry.h"
#include "ops/conv2d/problem.h"

namespace pyconv {

// How a convolution shall be run, beside what it computes.
struct Conv2dRequest {
  Accuracy accuracy = Accuracy::fast;
  Activation activation;
  Layout layout = Layout::nchw;  // of src and dst
  Isa max_isa = Isa::scalar;
  int threads = 1;
  bool one_shot = false;      // the weights are packed for this one run: packing counts as cost
  // Nobody asks further of an algorithm that takes more cycles than this: a lower bound of them will do.
  double enough = std::numeric_limits<double>::infinity();
  std::string kernel;         // force one registry row by name; empty: the selector's choice
  float tolerance = 0.0f;     // separable: largest relative error of the low-rank weights; 0: fp32's
  // Weights (oc, ic/g, kh, kw) where the caller has them, for algorithms that must see the values.
  const float* weight = nullptr;
};

struct Verdict {
  bool accepted = false;
  std::string reason;               // the refusal, one sentence; empty when accepted
  double cost = 0.0;                // estimated CPU cycles of one core
  std::size_t workspace_bytes = 0;  // scratch that one run needs
  // The layouts that run() reads and writes: the plan converts where the request's differ.
  Layout src_layout = Layout::nhwc, dst_layout = Layout::nhwc;
};

inline Verdict refuse(std::string reason) { return {false, std::move(reason), 0.0, 0}; }

// What a run works on: src and dst are dense in the layouts that the Conv2dImpl names.
struct Conv2dRun {
  const float* src = nullptr;
  float* dst = nullptr;
  const float* residual = nullptr;  // shaped like dst, added after the chain; may be null
  void* workspace = nullptr;        // 64-byte aligned, workspace_bytes() of it
  int threads = 1;
};

// A convolution with its weights packed: immutable, so that any number of threads may run it.
class Conv2dImpl {
 public:
  virtual ~Conv2dImpl() = default;
  virtual void run(const Conv2dRun& run) const = 0;
  virtual std::size_t workspace_bytes() const = 0;  // for the threads of the request
  virtual std::size_t packed_bytes() const = 0;
  virtual std::string kernels() const = 0;  // names of the registry rows in use, comma between
};

struct Conv2dAlgorithm {
  const char* name;
  Verdict (*consider)(const Conv2dProblem&, const Conv2dRequest&);
  // weight: dense (oc, ic/g, kh, kw). bias: oc floats or null. Called only where consider accepts.
  std::unique_ptr<Conv2dImpl> (*make)(const Conv2dProblem&, const Conv2dRequest&,
                                      const float* weight, const float* bias);
  bool only_when_forced;  // never the choice of "auto"
};

// Whether src and dst of one image pass through L2 rather than stay in it.
inline bool streams_through_l2(const Conv2dProblem& p) {
  return static_cast<std::size_t>(p.ic * p.ih * p.iw + p.oc * p.oh() * p.ow()) * sizeof(float) >
         cpu().l2_bytes;
}

// The ordered list.
const std::vector<Conv2dAlgorithm>& conv2d_algorithms();

// What `algorithm` says, with the plan's conversions of layout counted into cost and workspace.
Verdict consider_conv2d(const Conv2dAlgorithm& algorithm, const Conv2dProblem&,
                        const Conv2dRequest&);

// What the plan's conversion of so many bytes between the layouts takes.
double conversion_cycles(std::size_t bytes);

// Bytes of the plan's NHWC or NCHW copies of src and dst; 0 where the layouts agree, or are the same
// bytes because there is one channel or one pixel.
std::size_t staged_src_bytes(const Conv2dProblem&, Layout request, Layout wanted);
std::size_t staged_dst_bytes(const Conv2dProblem&, Layout request, Layout wanted);

struct Conv2dChoice {
  const Conv2dAlgorithm* algorithm;
  Verdict verdict;
};

// The accepted algorithm of least cost, or the one named; throws InvalidArgument with the refusal.
Conv2dChoice choose_conv2d(const Conv2dProblem&, const Conv2dRequest&,
                           const std::string& algorithm);

}  // namespace pyconv
