// Transformed weights G g G^T of a dense r x r convolution, cut into GEMM panels. All of them are read
// front to back once per block of tiles, so they lie in that order:
//
//     [chunk of panels][element (m+r-1)^2][panel of the chunk][C][nr]
//
// With stride 2 the last element of a row serves all plain products, and so for columns. A chunk is what is
// multiplied before its products are transformed back.
#pragma once
#include <vector>

#include "ops/packed_weights.h"

namespace pyconv {

class WinogradWeights {
 public:
  // stride: 1, or 2 with r = 3. weight: dense (oc, channels, r, r), transformed in double and rounded once.
  // bias: oc or null.
  WinogradWeights(int m, int taps, int stride, std::vector<WeightPanel> panels, std::size_t chunk_panels,
                  std::int64_t channels, std::int64_t oc, const float* weight, const float* bias,
                  int threads);

  struct Chunk {
    std::size_t panel0 = 0, panels = 0;
    std::int64_t first_column = 0, columns = 0;  // valid ones
    std::int64_t padded_columns = 0;             // sum of the panels' widths
    std::int64_t offset = 0;                     // floats from the start of the packed data
  };
  const std::vector<Chunk>& chunks() const { return chunks_; }
  const std::vector<WeightPanel>& panels() const { return panels_; }
  // The first panel of `element`; the chunk's other panels follow, then the next element.
  const float* element(const Chunk& chunk, int element) const {
    return data_.floats() + chunk.offset + element * channels_ * chunk.padded_columns;
  }
  // Zero-padded like the panels.
  const float* bias(std::int64_t column) const { return bias_.floats() + column; }
  std::size_t bytes() const { return data_.bytes() + bias_.bytes(); }

 private:
  void pack(const Chunk& chunk, const WeightPanel& panel, std::int64_t c0, std::int64_t c1,
            std::int64_t oc, const float* weight);

  int taps_, pairs_, stride_;
  std::vector<WeightPanel> panels_;
  std::vector<Chunk> chunks_;
  std::int64_t channels_;
  AlignedBuffer data_, bias_;
};

}  // namespace pyconv
