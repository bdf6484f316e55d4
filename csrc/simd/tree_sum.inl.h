// Sixteen partial sums (index mod 16, lane order) to one, by the tree that every contiguous reduction
// uses on every ISA (ARCHITECTURE, decision 4): sum j takes sum j + 8 (j < 8), j + 4, j + 2, j + 1.
// After simd/<isa>.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

constexpr int kSumVectors = 16 / VL;  // vectors that hold the partial sums

PYCONV_INLINE vf rotate(vf v, int by) {
  std::int32_t lane[VL];
  for (int i = 0; i < VL; ++i) lane[i] = (i + by) % VL;
  return permute(v, iload(lane));
}

// The total in lane 0.
PYCONV_INLINE vf tree_sum(const vf (&partial)[kSumVectors]) {
  vf sum[kSumVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kSumVectors; ++j) sum[j] = partial[j];
#pragma GCC unroll 2
  for (int half = kSumVectors / 2; half >= 1; half /= 2)
#pragma GCC unroll 2
    for (int j = 0; j < half; ++j) sum[j] = add(sum[j], sum[j + half]);
#pragma GCC unroll 4
  for (int by = VL / 2; by >= 1; by /= 2) sum[0] = add(sum[0], rotate(sum[0], by));
  return sum[0];
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
