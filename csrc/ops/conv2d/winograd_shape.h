// How a Winograd convolution is cut into blocks of tiles and chunks of output channels, and what it
// is estimated to cost; the same for consider and make.
#pragma once
#include "kernels/winograd/winograd.h"
#include "ops/conv2d/algorithms.h"
#include "ops/packed_weights.h"

namespace pyconv {

struct WinogradShape {
  // Tiles of a block at most: their row pointers stand on the stack.
  static constexpr std::int64_t kMostTiles = 1024;
  static constexpr std::int64_t kFewTiles = 49;
  static constexpr int kMostOwners = 8;  // threads that make V for themselves

  int m, taps, stride, elements;  // taps: r, of a row and of a column
  std::int64_t channels, tiles_h, tiles_w, tiles;  // tiles: of all images
  std::vector<WeightPanel> panels;
  std::int64_t columns = 0;                    // of all panels, padding included
  const WinogradKernel* transforms = nullptr;  // null: no kernel qualifies
  std::int64_t tile_block = 1;
  std::size_t chunk_panels = 1;
  // Threads share the V of a block and divide its chunks; else each takes blocks of its own.
  bool shared = false;
  // Few tiles: each thread makes all of V for itself, which takes less than fetching half of it from another
  // core's cache.
  bool own_v = false;
  std::int64_t v_row = 0, v_element = 0, v_floats = 0;  // strides and size of V
  std::int64_t m_row = 0, m_element = 0, m_floats = 0;  // of M

  WinogradShape(int m, const Conv2dProblem& p, const Conv2dRequest& request);

  std::int64_t blocks() const { return tiles ? (tiles + tile_block - 1) / tile_block : 0; }
  std::size_t workspace_bytes(int threads) const;
  double weight_bytes() const;
  double cycles(const Conv2dProblem& p) const;
  // No shape takes less: vectors of 16 lanes at the FMA pipes' peak.
  static double least_cycles(int m, const Conv2dProblem& p);
  int edge() const { return stride * (m - 1) + taps; }
  int pairs() const { return (m + taps - 3) / 2; }
  // Distinct weights of a row and of a column: elements beyond have the last.
  int weight_edge() const { return m + taps - 1; }
  int weight_elements() const { return weight_edge() * weight_edge(); }
  // What transforming the weights takes beyond what packing them plainly would.
  double packing_cycles(const Conv2dProblem& p) const;

 private:
  void cut(const Conv2dProblem& p, int threads);
  double product_cycles() const;
  double transform_cycles(const Conv2dProblem& p) const;
  double chunks() const {
    return static_cast<double>((panels.size() + chunk_panels - 1) / chunk_panels);
  }
  void lay_out(std::int64_t block, std::int64_t chunk);
  std::int64_t chunk_columns() const;
};

}  // namespace pyconv
