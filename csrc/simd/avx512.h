// Vocabulary of vec.h for AVX-512 (F+BW+DQ+VL). Include inside a target region only.
#define PYCONV_ISA_NS avx512
namespace pyconv {
namespace avx512 {
namespace {

constexpr int VL = 16;
constexpr int kRegisters = 32;
using vf = __m512;
using vi = __m512i;
using vm = __mmask16;

PYCONV_INLINE vf zero() { return _mm512_setzero_ps(); }
PYCONV_INLINE vf set1(float x) { return _mm512_set1_ps(x); }
PYCONV_INLINE vf load(const float* p) { return _mm512_loadu_ps(p); }
PYCONV_INLINE void store(float* p, vf v) { _mm512_storeu_ps(p, v); }
PYCONV_INLINE vm mask_first(int n) { return static_cast<vm>((1u << n) - 1u); }
PYCONV_INLINE vf load_tail(const float* p, vm m) { return _mm512_maskz_loadu_ps(m, p); }
PYCONV_INLINE void store_tail(float* p, vf v, vm m) { _mm512_mask_storeu_ps(p, m, v); }
PYCONV_INLINE vf broadcast(const float* p) { return _mm512_set1_ps(*p); }
PYCONV_INLINE vf fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
PYCONV_INLINE void fma_into(vf& acc, vf a, vf b) {
#if defined(PYCONV_NO_ASM)
  acc = _mm512_fmadd_ps(a, b, acc);
#else
  asm("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
#endif
}
PYCONV_INLINE void fma_load(vf& acc, vf a, const float* p) {
#if defined(PYCONV_NO_ASM)
  acc = _mm512_fmadd_ps(a, _mm512_loadu_ps(p), acc);
#else
  asm("vfmadd231ps %2, %1, %0" : "+v"(acc) : "v"(a), "m"(*reinterpret_cast<const __m512_u*>(p)));
#endif
}
PYCONV_INLINE void fma_broadcast(vf& acc, vf a, const float* p) {
#if defined(PYCONV_NO_ASM)
  acc = _mm512_fmadd_ps(a, _mm512_set1_ps(*p), acc);
#else
  asm("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(a), "m"(*p));
#endif
}
PYCONV_INLINE vf add(vf a, vf b) { return _mm512_add_ps(a, b); }
PYCONV_INLINE vf sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
PYCONV_INLINE vf mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
PYCONV_INLINE vf div(vf a, vf b) { return _mm512_div_ps(a, b); }
PYCONV_INLINE vf sqrt(vf a) { return _mm512_sqrt_ps(a); }
PYCONV_INLINE vf max(vf a, vf b) { return _mm512_max_ps(a, b); }
PYCONV_INLINE vf min(vf a, vf b) { return _mm512_min_ps(a, b); }
PYCONV_INLINE vi bits(vf v) { return _mm512_castps_si512(v); }
PYCONV_INLINE vf from_bits(vi v) { return _mm512_castsi512_ps(v); }
PYCONV_INLINE vi iset1(int k) { return _mm512_set1_epi32(k); }
PYCONV_INLINE vi iload(const std::int32_t* p) { return _mm512_loadu_si512(p); }
#define PYCONV_LOOKUP32
PYCONV_INLINE vf lookup32(const float* table, vi index) {
  return _mm512_permutex2var_ps(_mm512_load_ps(table), index, _mm512_load_ps(table + 16));
}
PYCONV_INLINE vi and_(vi a, vi b) { return _mm512_and_si512(a, b); }
PYCONV_INLINE vi or_(vi a, vi b) { return _mm512_or_si512(a, b); }
PYCONV_INLINE vi xor_(vi a, vi b) { return _mm512_xor_si512(a, b); }
PYCONV_INLINE vi iadd(vi a, vi b) { return _mm512_add_epi32(a, b); }
PYCONV_INLINE vi isub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
template <int k>
PYCONV_INLINE vi ishl(vi a) {
  return _mm512_slli_epi32(a, k);
}
template <int k>
PYCONV_INLINE vi ishr(vi a) {
  return _mm512_srli_epi32(a, k);
}
template <int k>
PYCONV_INLINE vi isar(vi a) {
  return _mm512_srai_epi32(a, k);
}
PYCONV_INLINE vf abs(vf a) { return from_bits(and_(bits(a), iset1(0x7fffffff))); }
PYCONV_INLINE vf neg(vf a) { return from_bits(xor_(bits(a), iset1(static_cast<int>(0x80000000u)))); }
PYCONV_INLINE vm lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
PYCONV_INLINE vm le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
PYCONV_INLINE vm gt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
PYCONV_INLINE vm ge(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
PYCONV_INLINE vm eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
PYCONV_INLINE vm unord(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
PYCONV_INLINE vm mask_and(vm a, vm b) { return static_cast<vm>(a & b); }
PYCONV_INLINE vm mask_or(vm a, vm b) { return static_cast<vm>(a | b); }
PYCONV_INLINE vm mask_not(vm a) { return static_cast<vm>(~a); }
PYCONV_INLINE bool any(vm m) { return m != 0; }
PYCONV_INLINE vf select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
PYCONV_INLINE vf round_even(vf v) {
  return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
PYCONV_INLINE vi to_int(vf v) { return _mm512_cvttps_epi32(v); }
PYCONV_INLINE vf to_float(vi v) { return _mm512_cvtepi32_ps(v); }
PYCONV_INLINE vf scale2(vf v, vf n) { return _mm512_scalef_ps(v, n); }
PYCONV_INLINE vf permute(vf v, vi idx) { return _mm512_permutexvar_ps(idx, v); }

}  // namespace
}  // namespace avx512
}  // namespace pyconv
