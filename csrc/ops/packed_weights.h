// Weights of one GEMM operand (K x N), cut into column panels and packed once for the micro-kernels.
//
//     columns   0 ........ 63 64 ....... 127 128 .. 159
//     panels   [   6x64 row  ][   6x64 row  ][14x32 row]    each panel: K rows of nr floats (gemm.h)
//
// The widths are chosen so that the estimated cycles are least: wide panels, then whatever covers the
// remainder best.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/registry.h"

namespace pyconv {

struct WeightPanel {
  const KernelInfo* kernel = nullptr;
  std::size_t row = 0;  // index of the kernel in its family's registry
  std::int64_t first_column = 0;
  int columns = 0;               // valid ones
  std::int64_t offset = 0;       // floats from the start of the packed data
  std::int64_t bias_offset = 0;  // floats from the start of the padded bias
};

// How N columns are covered by panels of the rows of one registry that `cap` allows; a non-empty
// `kernel_name` forces that row wherever it is filled to its last vector, narrower rows of its ISA
// taking the rest. whole_vectors: no row of half vectors unless forced. Empty when no row qualifies.
std::vector<WeightPanel> plan_panels(const std::vector<const KernelInfo*>& registry,
                                     std::int64_t columns, std::int64_t m, std::int64_t depth, Isa cap,
                                     const std::string& kernel_name, bool whole_vectors = false);

// The names of the rows in use, comma between.
std::string kernel_names(const std::vector<WeightPanel>& panels);

// "kernel 'x' is no gemm row that avx2 allows, or ...": why plan_panels found nothing.
std::string no_panel_reason(const char* family, Isa cap, const std::string& kernel_name);

// Estimated cycles for M x N x K on the given panels, packing left out.
double gemm_cycles(const std::vector<WeightPanel>& panels, std::int64_t m, std::int64_t k);

class PackedWeights {
 public:
  // Packs the oc x ic x taps weights of one group as K x N with k = (tap, ic) and n = oc.
  PackedWeights(std::vector<WeightPanel> panels, std::int64_t columns, std::int64_t channels,
                std::int64_t taps, const float* weight, const float* bias);

  const std::vector<WeightPanel>& panels() const { return panels_; }
  const float* panel_data(const WeightPanel& panel) const { return data_.floats() + panel.offset; }
  const float* panel_bias(const WeightPanel& panel) const {
    return bias_.floats() + panel.bias_offset;
  }
  std::int64_t columns() const { return columns_; }
  std::int64_t depth() const { return depth_; }
  std::size_t bytes() const { return data_.bytes() + bias_.bytes(); }
  bool finite() const { return finite_; }

 private:
  std::vector<WeightPanel> panels_;
  std::int64_t columns_ = 0, depth_ = 0;
  AlignedBuffer data_, bias_;
  bool finite_ = true;
};

// Rows cut into tiles of nearly equal height, none above `most`: 49 = 4 x 6 + 5 x 5.
struct BalancedTiles {
  std::int64_t count, tall;  // the first `tall` tiles have `height` rows, the rest one less
  int height;
  BalancedTiles(std::int64_t rows, int most)
      : count((rows + most - 1) / most),
        tall(0),
        height(count ? static_cast<int>((rows + count - 1) / count) : 0) {
    tall = rows - count * (height - 1);
  }
  int height_of(std::int64_t tile) const { return tile < tall ? height : height - 1; }
  std::int64_t first_row(std::int64_t tile) const {
    return tile < tall ? tile * height : tall * height + (tile - tall) * (height - 1);
  }
};

}  // namespace pyconv
