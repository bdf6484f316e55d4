// acc += a * row[c + k], broadcast within the FMA, for a whole vector or half of one. The address is spelt
// out, where GCC would compute one that two FMAs share and run out of registers; volatile keeps the order
// of the FMAs. Include after simd/avx512.h.
namespace pyconv {
namespace avx512 {
namespace {

using AnyFloats = float[1 << 28];  // says to the compiler that a row is read, however long

template <int k>
PYCONV_INLINE void fma_row(vf& acc, vf a, const float* row, std::int64_t c) {
#if defined(PYCONV_NO_ASM)
  acc = _mm512_fmadd_ps(a, _mm512_set1_ps(row[c + k]), acc);
#else
  asm volatile("vfmadd231ps %c4(%2,%3,4)%{1to16%}, %1, %0"
               : "+v"(acc)
               : "v"(a), "r"(row), "r"(c), "i"(4 * k), "m"(*reinterpret_cast<const AnyFloats*>(row)));
#endif
}
template <int k>
PYCONV_INLINE void fma_row(__m256& acc, __m256 a, const float* row, std::int64_t c) {
#if defined(PYCONV_NO_ASM)
  acc = _mm256_fmadd_ps(a, _mm256_set1_ps(row[c + k]), acc);
#else
  asm volatile("vfmadd231ps %c4(%2,%3,4)%{1to8%}, %1, %0"
               : "+v"(acc)
               : "v"(a), "r"(row), "r"(c), "i"(4 * k), "m"(*reinterpret_cast<const AnyFloats*>(row)));
#endif
}

}  // namespace
}  // namespace avx512
}  // namespace pyconv
