// Convolution as a matrix product, three ways of reaching the rows of the unfolded input:
//
//   pointwise      no padding, 1x1: the rows are the pixels of src themselves; or as large as the image: whole
//                  images are
//   implicit_gemm  a table of pointers per tile, one per tap and pixel, a zero row for padding;
//                  no workspace (M. Dukhan, arXiv:1907.02129)
//   im2col         a block of rows is copied into the workspace first, then one dense product
//                  (Chellapilla et al., "High performance convolutional neural networks", 2006)
//
// All three run the same micro-kernels over the same packed weights and give the same bits.
//
// Tiles of implicit_gemm leave out a tap that none of their pixels has inside the image. So that this happens at
// all sides, tiles there lie along them: down the outer columns, across the rest of each row.
#pragma once
#include <vector>

#include "ops/conv2d/algorithms.h"
#include "ops/packed_weights.h"

namespace pyconv {

enum class RowSource { pointwise, implicit_gemm, im2col };

class GemmConv final : public Conv2dImpl {
 public:
  GemmConv(RowSource source, const Conv2dProblem&, const Conv2dRequest&, const float* weight,
           const float* bias);
  void run(const Conv2dRun& run) const override;
  std::size_t workspace_bytes() const override;
  std::size_t packed_bytes() const override;
  std::string kernels() const override;
  bool residual_in_place() const override;

 private:
  struct Chunk;
  // Pixels that tiles walk: across from (y, x), row after row, or down a column.
  struct Line {
    std::int64_t image, y, x, count;
    bool down;
  };
  // Columns at either side whose windows overhang, where it pays to walk down them; else all are `across`.
  struct Sides {
    bool apart = false;
    std::int64_t left = 0, right = 0;
  };
  static Sides sides_of(const Conv2dProblem& p);
  template <class F>
  void each_line(const Chunk& chunk, F body) const;
  void place_chunk(std::int64_t block, std::int64_t rows, Chunk* chunk) const;
  std::int64_t blocks_of(std::int64_t rows) const;
  struct Cut {
    std::int64_t rows;
    std::size_t panels;  // of one chunk
  };
  Cut cut_for(int threads) const;
  void run_chunk(const Conv2dRun& run, const Chunk& chunk, float* scratch) const;
  void fill_rows(const Conv2dRun& run, const Chunk& chunk, std::int64_t tap0, std::int64_t taps,
                 std::int64_t c0, int most, const float* scratch, const float** rows) const;
  void fill_line(const Conv2dRun& run, const Line& line, std::int64_t group, std::int64_t tap0,
                 std::int64_t taps, std::int64_t c0, int most, const float** rows) const;
  void unfold(const Conv2dRun& run, const Chunk& chunk, float* scratch) const;
  void run_panel(const Conv2dRun& run, const Chunk& chunk, const WeightPanel& panel,
                 std::int64_t tap0, std::int64_t taps, std::int64_t c0, std::int64_t channels,
                 const float* const* rows, std::int64_t tiles, const float* next) const;
  const float* upcoming(const Chunk& chunk, std::size_t index, std::int64_t k0,
                        std::int64_t depth) const;
  const float* pixel(const float* src, std::int64_t image, std::int64_t group, std::int64_t y,
                     std::int64_t x) const;

  RowSource source_;
  Conv2dProblem p_;
  PixelStrides pixel_;
  Activation activation_;
  Isa cap_;
  int threads_;
  bool plus_zero_, fetch_dst_;
  bool skips_ = false;  // taps on padding: all weights are finite
  Sides sides_;
  std::int64_t m_ = 0;          // pixels of all images
  std::int64_t row_block_ = 0;  // rows of a chunk
  std::int64_t gemm_taps_ = 1, gemm_depth_ = 0;
  std::vector<PackedWeights> groups_;
  AlignedBuffer zero_row_;
};

// Rows per chunk: what keeps their unfolded input within half the L2 cache.
std::int64_t gemm_row_block(const Conv2dProblem& problem);

}  // namespace pyconv
