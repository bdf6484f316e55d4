// What every registry row says of its kernel. Rows live in kernels/<family>/<family>_kernels.inc; a
// row declares the kernel, offers it to the selector, lists it to Python and so parametrises its
// tests and its micro-benchmark.
#pragma once
#include <vector>

#include "base/cpu.h"

namespace pyconv {

struct KernelInfo {
  const char* name;    // op, type, tile, ISA: gemm_f32_6x64_avx512
  const char* family;  // gemm, direct, depthwise, ...
  Isa isa;
  int tile_rows;   // output rows (pixels) of the register tile, 0 where the word means nothing
  int tile_cols;   // output columns (channels, floats) of the register tile
  int efficiency;  // percent of the ISA's FMA peak on a large problem; an estimate for the selector
};

// The percent of a row whose worth depends on the pipes: as wide as its vectors, or taking them in halves.
inline int by_width(int whole, int halved) { return fmas_per_cycle(Isa::avx512) < 2.0 ? halved : whole; }

// What introspection and the selector see of a family's rows.
template <class Row>
std::vector<const KernelInfo*> registry_of(const std::vector<Row>& rows) {
  std::vector<const KernelInfo*> registry;
  for (const Row& row : rows) registry.push_back(&row.info);
  return registry;
}

}  // namespace pyconv
