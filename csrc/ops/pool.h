// Pooling, windowed and global: Problem -> Plan -> run. What is computed, and in which order sums
// are made: kernels/pool/pool.h. Sizes as torch has them: an output extent of
// floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, or the ceiling of it, less the
// last window where that would start beyond the image and the padding before it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/cpu.h"
#include "kernels/pool/pool.h"
#include "ops/types.h"

namespace pyconv {

struct Pool2dProblem {
  PoolKind kind = PoolKind::max;
  std::int64_t mb = 1, c = 1, ih = 0, iw = 0;
  std::int64_t kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1, ph = 0, pw = 0;
  bool ceil_mode = false;
  bool include_pad = true;   // avg
  std::int64_t divisor = 0;  // avg: 0 to count the taps

  std::int64_t oh() const;
  std::int64_t ow() const;

  // Throws InvalidArgument, naming the argument. An empty batch and no channels are legal.
  void validate() const;
};

struct PoolRequest {
  Layout src_layout = Layout::nchw, dst_layout = Layout::nchw;
  // Floats from one NHWC pixel to the next, so that an operand may be some channels of a wider tensor;
  // 0: dense.
  std::int64_t src_pixel = 0, dst_pixel = 0;
  Isa max_isa = Isa::scalar;
  int threads = 1;
  std::string kernel;  // force one registry row by name
};

// Whether a window over NCHW, to NCHW, is pooled as it lies.
bool pools_planes(const Pool2dProblem& problem);

// Decided once; immutable, so that any number of threads may run it.
class Pool2dPlan {
 public:
  // Validates problem and strides; throws InvalidArgument when the forced kernel does not take it.
  Pool2dPlan(const Pool2dProblem& problem, const PoolRequest& request);

  // src and dst lie as the request says, not overlapping; `workspace` 64-byte aligned with
  // workspace_bytes() or more.
  void run(const float* src, float* dst, void* workspace) const;

  // For NCHW: padded rows of a plane for each thread, or arrays in NHWC where windows go that way
  // (horizontal strides above 2, narrow images, the other array in NHWC).
  std::size_t workspace_bytes() const {
    return src_bytes_ + dst_bytes_ +
           static_cast<std::size_t>(threads_ * scratch_floats_) * sizeof(float);
  }
  const char* kernel() const { return kernel_->info.name; }
  int threads() const { return threads_; }

 private:
  void run_nhwc(const float* src, std::int64_t src_pixel, float* dst,
                std::int64_t dst_pixel) const;
  void run_nchw(const float* src, float* dst, float* scratch) const;

  Pool2dProblem problem_;
  std::int64_t oh_, ow_;
  std::int64_t src_pixel_, dst_pixel_;
  Isa cap_;
  int threads_;
  const PoolKernel* kernel_;
  std::size_t src_bytes_ = 0, dst_bytes_ = 0;
  std::int64_t band_rows_ = 0, scratch_floats_ = 0;
};

// dst[n][c] = mean or maximum of the pixels of channel c. `pixels` >= 1. src lies as the request says;
// dst_pixel: floats from dst[n] to dst[n + 1], whatever the layouts.
void global_pool(PoolKind kind, std::int64_t images, std::int64_t channels, std::int64_t pixels,
                 const PoolRequest& request, const float* src, float* dst);

}  // namespace pyconv
