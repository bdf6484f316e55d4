// Vocabulary of vec.h for AArch64 NEON. Include inside the namespace-opening region only.
#define PYCONV_ISA_NS neon
namespace pyconv {
namespace neon {
namespace {

constexpr int VL = 4;
constexpr int kRegisters = 32;
using vf = float32x4_t;
using vi = int32x4_t;
using vm = uint32x4_t;

PYCONV_INLINE vf zero() { return vdupq_n_f32(0.0f); }
PYCONV_INLINE vf set1(float x) { return vdupq_n_f32(x); }
PYCONV_INLINE vf load(const float* p) { return vld1q_f32(p); }
PYCONV_INLINE void store(float* p, vf v) { vst1q_f32(p, v); }
PYCONV_INLINE vm mask_first(int n) {
  const std::uint32_t lane[4] = {0, 1, 2, 3};
  return vcltq_u32(vld1q_u32(lane), vdupq_n_u32(static_cast<std::uint32_t>(n)));
}
PYCONV_INLINE vf load_tail(const float* p, vm m) {
  float f[4] = {0, 0, 0, 0};
  std::uint32_t k[4];
  vst1q_u32(k, m);
  for (int i = 0; i < 4; ++i)
    if (k[i]) f[i] = p[i];
  return vld1q_f32(f);
}
PYCONV_INLINE void store_tail(float* p, vf v, vm m) {
  float f[4];
  std::uint32_t k[4];
  vst1q_u32(k, m);
  vst1q_f32(f, v);
  for (int i = 0; i < 4; ++i)
    if (k[i]) p[i] = f[i];
}
PYCONV_INLINE vf broadcast(const float* p) { return vld1q_dup_f32(p); }
PYCONV_INLINE vf fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
PYCONV_INLINE void fma_into(vf& acc, vf a, vf b) { acc = vfmaq_f32(acc, a, b); }
PYCONV_INLINE void fma_load(vf& acc, vf a, const float* p) { acc = vfmaq_f32(acc, a, vld1q_f32(p)); }
PYCONV_INLINE void fma_broadcast(vf& acc, vf a, const float* p) { fma_into(acc, a, broadcast(p)); }
PYCONV_INLINE vf add(vf a, vf b) { return vaddq_f32(a, b); }
PYCONV_INLINE vf sub(vf a, vf b) { return vsubq_f32(a, b); }
PYCONV_INLINE vf mul(vf a, vf b) { return vmulq_f32(a, b); }
PYCONV_INLINE vf div(vf a, vf b) { return vdivq_f32(a, b); }
PYCONV_INLINE vf sqrt(vf a) { return vsqrtq_f32(a); }
PYCONV_INLINE vm lt(vf a, vf b) { return vcltq_f32(a, b); }
PYCONV_INLINE vm le(vf a, vf b) { return vcleq_f32(a, b); }
PYCONV_INLINE vm gt(vf a, vf b) { return vcgtq_f32(a, b); }
PYCONV_INLINE vm ge(vf a, vf b) { return vcgeq_f32(a, b); }
PYCONV_INLINE vm eq(vf a, vf b) { return vceqq_f32(a, b); }
PYCONV_INLINE vm mask_and(vm a, vm b) { return vandq_u32(a, b); }
PYCONV_INLINE vm mask_or(vm a, vm b) { return vorrq_u32(a, b); }
PYCONV_INLINE vm mask_not(vm a) { return vmvnq_u32(a); }
PYCONV_INLINE vm unord(vf a, vf b) { return mask_not(mask_and(eq(a, a), eq(b, b))); }
PYCONV_INLINE bool any(vm m) { return vmaxvq_u32(m) != 0; }
PYCONV_INLINE vf select(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
PYCONV_INLINE vf max(vf a, vf b) { return select(gt(a, b), a, b); }
PYCONV_INLINE vf min(vf a, vf b) { return select(lt(a, b), a, b); }
PYCONV_INLINE vi bits(vf v) { return vreinterpretq_s32_f32(v); }
PYCONV_INLINE vf from_bits(vi v) { return vreinterpretq_f32_s32(v); }
PYCONV_INLINE vi iset1(int k) { return vdupq_n_s32(k); }
PYCONV_INLINE vi iload(const std::int32_t* p) { return vld1q_s32(p); }
PYCONV_INLINE vi and_(vi a, vi b) { return vandq_s32(a, b); }
PYCONV_INLINE vi or_(vi a, vi b) { return vorrq_s32(a, b); }
PYCONV_INLINE vi xor_(vi a, vi b) { return veorq_s32(a, b); }
PYCONV_INLINE vi iadd(vi a, vi b) { return vaddq_s32(a, b); }
PYCONV_INLINE vi isub(vi a, vi b) { return vsubq_s32(a, b); }
template <int k>
PYCONV_INLINE vi ishl(vi a) {
  return vshlq_n_s32(a, k);
}
template <int k>
PYCONV_INLINE vi ishr(vi a) {
  return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), k));
}
template <int k>
PYCONV_INLINE vi isar(vi a) {
  return vshrq_n_s32(a, k);
}
PYCONV_INLINE vf abs(vf a) { return vabsq_f32(a); }
PYCONV_INLINE vf neg(vf a) { return vnegq_f32(a); }
PYCONV_INLINE vf round_even(vf v) { return vrndnq_f32(v); }
PYCONV_INLINE vi to_int(vf v) { return vcvtq_s32_f32(v); }
PYCONV_INLINE vf to_float(vi v) { return vcvtq_f32_s32(v); }
// Adding 1.5 * 2^23 leaves n in the low bits. The first product is exact, the second rounds.
PYCONV_INLINE vf scale2(vf v, vf n) {
  const vi k = isub(bits(add(n, set1(12582912.0f))), iset1(0x4b400000));
  const vi half = isar<1>(k), bias = iset1(127);
  const vf first = from_bits(ishl<23>(iadd(half, bias)));
  return mul(mul(v, first), from_bits(ishl<23>(iadd(isub(k, half), bias))));
}
PYCONV_INLINE vf permute(vf v, vi idx) {
  float f[4];
  std::int32_t k[4];
  vst1q_f32(f, v);
  vst1q_s32(k, idx);
  const float r[4] = {f[k[0]], f[k[1]], f[k[2]], f[k[3]]};
  return vld1q_f32(r);
}

}  // namespace
}  // namespace neon
}  // namespace pyconv
