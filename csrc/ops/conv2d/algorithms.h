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
  Layout src_layout = Layout::nchw, dst_layout = Layout::nchw;
  // Floats from one NHWC pixel to the next, so that an operand may be some channels of a wider tensor;
  // 0: dense. The residual lies in dst's layout.
  std::int64_t src_pixel = 0, dst_pixel = 0, residual_pixel = 0;
  bool residual = false;  // runs may add one
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
  // The layouts that run() reads and writes: the plan converts where the request's differ, to and
  // from dense copies. In the request's own layout run() meets the request's pixel strides.
  Layout src_layout = Layout::nhwc, dst_layout = Layout::nhwc;
};

inline Verdict refuse(std::string reason) { return {false, std::move(reason), 0.0, 0}; }

// What a run works on, in the layouts that the algorithm's Verdict names.
struct Conv2dRun {
  const float* src = nullptr;
  float* dst = nullptr;
  // Shaped like dst, added after the chain and before the activation; may be null.
  const float* residual = nullptr;
  void* workspace = nullptr;        // 64-byte aligned, workspace_bytes() of it
  int threads = 1;
  // For depthwise rows (depthwise_rows.h): row y of the image is src_rows[y], not in src; dst begins with
  // output row dst_row0.
  const float* const* src_rows = nullptr;
  std::int64_t dst_row0 = 0;
};

// A convolution with its weights packed: immutable, so that any number of threads may run it.
class Conv2dImpl {
 public:
  virtual ~Conv2dImpl() = default;
  virtual void run(const Conv2dRun& run) const = 0;
  virtual std::size_t workspace_bytes() const = 0;  // for the threads of the request
  virtual std::size_t packed_bytes() const = 0;
  virtual std::string kernels() const = 0;  // names of the registry rows in use, comma between
  // Whether the residual may lie where dst does: each of its floats is read once, before dst's is written, and
  // nothing else is written there.
  virtual bool residual_in_place() const { return false; }
};

struct Conv2dAlgorithm {
  const char* name;
  Verdict (*consider)(const Conv2dProblem&, const Conv2dRequest&);
  // weight: dense (oc, ic/g, kh, kw). bias: oc floats or null. Called only where consider accepts.
  std::unique_ptr<Conv2dImpl> (*make)(const Conv2dProblem&, const Conv2dRequest&,
                                      const float* weight, const float* bias);
  bool only_when_forced;  // never the choice of "auto"
};

// Throws InvalidArgument where a pixel stride is shorter than the pixel, or the layout is not NHWC.
void check_pixel_strides(const Conv2dProblem&, const Conv2dRequest&);

// The pixel strides of NHWC operands, dense ones filled in.
struct PixelStrides {
  std::int64_t src, dst, residual;
  PixelStrides(const Conv2dProblem& p, const Conv2dRequest& request)
      : src(request.src_pixel ? request.src_pixel : p.ic),
        dst(request.dst_pixel ? request.dst_pixel : p.oc),
        residual(request.residual_pixel ? request.residual_pixel : p.oc) {}
};

// Whether src and dst of one image pass through L2 rather than stay in it, or through so many of its size.
inline bool streams_through_l2(const Conv2dProblem& p, std::size_t times = 1) {
  return static_cast<std::size_t>(p.ic * p.ih * p.iw + p.oc * p.oh() * p.ow()) * sizeof(float) >
         times * cpu().l2_bytes;
}

// The ordered list.
const std::vector<Conv2dAlgorithm>& conv2d_algorithms();

// What `algorithm` says, with the plan's conversions of layout counted into cost and workspace.
Verdict consider_conv2d(const Conv2dAlgorithm& algorithm, const Conv2dProblem&,
                        const Conv2dRequest&);

// What the plan's conversion of so many bytes between the layouts takes.
double conversion_cycles(std::size_t bytes);

// Bytes of the plan's dense copies of src, dst and residual in the layouts that the algorithm wants; 0
// where the layouts agree, or are the same bytes because there is one channel or one pixel.
struct StagedBytes {
  std::size_t src, dst, residual;
  StagedBytes(const Conv2dProblem&, const Conv2dRequest&, Layout src_layout, Layout dst_layout);
  std::size_t sum() const { return src + dst + residual; }
};

struct Conv2dChoice {
  const Conv2dAlgorithm* algorithm;
  Verdict verdict;
};

// The accepted algorithm of least cost, or the one named; throws InvalidArgument with the refusal.
Conv2dChoice choose_conv2d(const Conv2dProblem&, const Conv2dRequest&,
                           const std::string& algorithm);

}  // namespace pyconv
