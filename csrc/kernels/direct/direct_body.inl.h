// Generic body of the direct micro-kernels; contract in direct.h. After gemm_body.inl.h, whose
// gemm_step it shares.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int MR, int NV>
void direct_tile(const DirectTile& tile) {
  constexpr int NR = NV * VL;
  vf acc[MR][NV];
  tile_begin(acc, tile.out);
  const float* a[MR];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) a[i] = tile.src + i * tile.pixel_stride;
  const std::int32_t* offset = tile.offsets;
  const std::int32_t* end = offset + tile.depth;
  const float* b = tile.panel;
  for (; offset + 2 <= end; offset += 2, b += 2 * NR) {
    gemm_step<MR, NV>(acc, a, offset[0], b);
    gemm_step<MR, NV>(acc, a, offset[1], b + NR);
  }
  if (offset < end) gemm_step<MR, NV>(acc, a, offset[0], b);
  tile_end(acc, tile.out);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
