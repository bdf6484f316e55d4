// Vocabulary of vec.h for AVX2+FMA. Include inside a target region only.
#define PYCONV_ISA_NS avx2
namespace pyconv {
namespace avx2 {
namespace {

constexpr int VL = 8;
constexpr int kRegisters = 16;
using vf = __m256;
using vi = __m256i;
using vm = __m256i;  // all bits of a lane set or clear

PYCONV_INLINE vf zero() { return _mm256_setzero_ps(); }
PYCONV_INLINE vf set1(float x) { return _mm256_set1_ps(x); }
PYCONV_INLINE vf load(const float* p) { return _mm256_loadu_ps(p); }
PYCONV_INLINE void store(float* p, vf v) { _mm256_storeu_ps(p, v); }
PYCONV_INLINE vm mask_first(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PYCONV_INLINE vf load_tail(const float* p, vm m) { return _mm256_maskload_ps(p, m); }
PYCONV_INLINE void store_tail(float* p, vf v, vm m) { _mm256_maskstore_ps(p, m, v); }
PYCONV_INLINE vf broadcast(const float* p) { return _mm256_broadcast_ss(p); }
PYCONV_INLINE vf fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
PYCONV_INLINE void fma_into(vf& acc, vf a, vf b) {
#if defined(PYCONV_NO_ASM)
  acc = _mm256_fmadd_ps(a, b, acc);
#else
  asm("vfmadd231ps %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
#endif
}
PYCONV_INLINE void fma_load(vf& acc, vf a, const float* p) {
#if defined(PYCONV_NO_ASM)
  acc = _mm256_fmadd_ps(a, _mm256_loadu_ps(p), acc);
#else
  asm("vfmadd231ps %2, %1, %0" : "+x"(acc) : "x"(a), "m"(*reinterpret_cast<const __m256_u*>(p)));
#endif
}
PYCONV_INLINE void fma_broadcast(vf& acc, vf a, const float* p) { fma_into(acc, a, broadcast(p)); }
PYCONV_INLINE vf add(vf a, vf b) { return _mm256_add_ps(a, b); }
PYCONV_INLINE vf sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
PYCONV_INLINE vf mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
PYCONV_INLINE vf div(vf a, vf b) { return _mm256_div_ps(a, b); }
PYCONV_INLINE vf sqrt(vf a) { return _mm256_sqrt_ps(a); }
PYCONV_INLINE vf max(vf a, vf b) { return _mm256_max_ps(a, b); }
PYCONV_INLINE vf min(vf a, vf b) { return _mm256_min_ps(a, b); }
PYCONV_INLINE vi bits(vf v) { return _mm256_castps_si256(v); }
PYCONV_INLINE vf from_bits(vi v) { return _mm256_castsi256_ps(v); }
PYCONV_INLINE vi iset1(int k) { return _mm256_set1_epi32(k); }
PYCONV_INLINE vi iload(const std::int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
PYCONV_INLINE vi and_(vi a, vi b) { return _mm256_and_si256(a, b); }
PYCONV_INLINE vi or_(vi a, vi b) { return _mm256_or_si256(a, b); }
PYCONV_INLINE vi xor_(vi a, vi b) { return _mm256_xor_si256(a, b); }
PYCONV_INLINE vi iadd(vi a, vi b) { return _mm256_add_epi32(a, b); }
PYCONV_INLINE vi isub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
template <int k>
PYCONV_INLINE vi ishl(vi a) {
  return _mm256_slli_epi32(a, k);
}
template <int k>
PYCONV_INLINE vi ishr(vi a) {
  return _mm256_srli_epi32(a, k);
}
template <int k>
PYCONV_INLINE vi isar(vi a) {
  return _mm256_srai_epi32(a, k);
}
PYCONV_INLINE vf abs(vf a) { return from_bits(and_(bits(a), iset1(0x7fffffff))); }
PYCONV_INLINE vf neg(vf a) { return from_bits(xor_(bits(a), iset1(static_cast<int>(0x80000000u)))); }
PYCONV_INLINE vm lt(vf a, vf b) { return bits(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
PYCONV_INLINE vm le(vf a, vf b) { return bits(_mm256_cmp_ps(a, b, _CMP_LE_OQ)); }
PYCONV_INLINE vm gt(vf a, vf b) { return bits(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
PYCONV_INLINE vm ge(vf a, vf b) { return bits(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }
PYCONV_INLINE vm eq(vf a, vf b) { return bits(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
PYCONV_INLINE vm unord(vf a, vf b) { return bits(_mm256_cmp_ps(a, b, _CMP_UNORD_Q)); }
PYCONV_INLINE vm mask_and(vm a, vm b) { return and_(a, b); }
PYCONV_INLINE vm mask_or(vm a, vm b) { return or_(a, b); }
PYCONV_INLINE vm mask_not(vm a) { return xor_(a, iset1(-1)); }
PYCONV_INLINE bool any(vm m) { return _mm256_movemask_epi8(m) != 0; }
PYCONV_INLINE vf select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, from_bits(m)); }
PYCONV_INLINE vf round_even(vf v) {
  return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
PYCONV_INLINE vi to_int(vf v) { return _mm256_cvttps_epi32(v); }
PYCONV_INLINE vf to_float(vi v) { return _mm256_cvtepi32_ps(v); }
// Adding 1.5 * 2^23 leaves n in the low bits. The first product is exact, the second rounds.
PYCONV_INLINE vf scale2(vf v, vf n) {
  const vi k = isub(bits(add(n, set1(12582912.0f))), iset1(0x4b400000));
  const vi half = isar<1>(k), bias = iset1(127);
  const vf first = from_bits(ishl<23>(iadd(half, bias)));
  return mul(mul(v, first), from_bits(ishl<23>(iadd(isub(k, half), bias))));
}
PYCONV_INLINE vf permute(vf v, vi idx) { return _mm256_permutevar8x32_ps(v, idx); }

}  // namespace
}  // namespace avx2
}  // namespace pyconv
