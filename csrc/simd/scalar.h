// Vocabulary of vec.h in portable C++: four lanes, no instruction beyond the baseline.
#include "simd/fma1.h"
#define PYCONV_ISA_NS scalar
#define PYCONV_EACH for (int i = 0; i < 4; ++i)
namespace pyconv {
namespace scalar {
namespace {

constexpr int VL = 4;
constexpr int kRegisters = 16;
struct vf {
  float f[4];
};
struct vi {
  std::int32_t k[4];
};
using vm = unsigned;  // bit i: lane i

PYCONV_INLINE vf set1(float x) { return {{x, x, x, x}}; }
PYCONV_INLINE vf zero() { return set1(0.0f); }
PYCONV_INLINE vf load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
PYCONV_INLINE void store(float* p, vf v) { PYCONV_EACH p[i] = v.f[i]; }
PYCONV_INLINE vm mask_first(int n) { return (1u << n) - 1u; }
PYCONV_INLINE vf load_tail(const float* p, vm m) {
  vf r = zero();
  PYCONV_EACH if (m >> i & 1u) r.f[i] = p[i];
  return r;
}
PYCONV_INLINE void store_tail(float* p, vf v, vm m) {
  PYCONV_EACH if (m >> i & 1u) p[i] = v.f[i];
}
PYCONV_INLINE vf broadcast(const float* p) { return set1(*p); }
#if defined(__FMA__) || defined(__aarch64__)
PYCONV_INLINE
#else
// Emulated, and called: inlined into unrolled bodies it is slower by a third and takes GCC minutes.
__attribute__((noinline, unused))
#endif
vf fma(vf a, vf b, vf c) {
  vf r;
  PYCONV_EACH r.f[i] = fma1(a.f[i], b.f[i], c.f[i]);
  return r;
}
PYCONV_INLINE void fma_into(vf& acc, vf a, vf b) { acc = fma(a, b, acc); }
PYCONV_INLINE void fma_load(vf& acc, vf a, const float* p) { acc = fma(a, load(p), acc); }
PYCONV_INLINE void fma_broadcast(vf& acc, vf a, const float* p) { fma_into(acc, a, broadcast(p)); }
PYCONV_INLINE vf add(vf a, vf b) {
  PYCONV_EACH a.f[i] += b.f[i];
  return a;
}
PYCONV_INLINE vf sub(vf a, vf b) {
  PYCONV_EACH a.f[i] -= b.f[i];
  return a;
}
PYCONV_INLINE vf mul(vf a, vf b) {
  PYCONV_EACH a.f[i] *= b.f[i];
  return a;
}
PYCONV_INLINE vf div(vf a, vf b) {
  PYCONV_EACH a.f[i] /= b.f[i];
  return a;
}
PYCONV_INLINE vf sqrt(vf a) {
  PYCONV_EACH a.f[i] = __builtin_sqrtf(a.f[i]);
  return a;
}
PYCONV_INLINE vf max(vf a, vf b) {
  PYCONV_EACH a.f[i] = a.f[i] > b.f[i] ? a.f[i] : b.f[i];
  return a;
}
PYCONV_INLINE vf min(vf a, vf b) {
  PYCONV_EACH a.f[i] = a.f[i] < b.f[i] ? a.f[i] : b.f[i];
  return a;
}
PYCONV_INLINE vi bits(vf v) {
  vi r;
  std::memcpy(&r, &v, sizeof r);
  return r;
}
PYCONV_INLINE vf from_bits(vi v) {
  vf r;
  std::memcpy(&r, &v, sizeof r);
  return r;
}
PYCONV_INLINE vi iset1(int k) { return {{k, k, k, k}}; }
PYCONV_INLINE vi iload(const std::int32_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
PYCONV_INLINE std::uint32_t as_u32(std::int32_t k) { return static_cast<std::uint32_t>(k); }
PYCONV_INLINE std::int32_t as_i32(std::uint32_t k) { return static_cast<std::int32_t>(k); }
PYCONV_INLINE vi and_(vi a, vi b) {
  PYCONV_EACH a.k[i] &= b.k[i];
  return a;
}
PYCONV_INLINE vi or_(vi a, vi b) {
  PYCONV_EACH a.k[i] |= b.k[i];
  return a;
}
PYCONV_INLINE vi xor_(vi a, vi b) {
  PYCONV_EACH a.k[i] ^= b.k[i];
  return a;
}
PYCONV_INLINE vi iadd(vi a, vi b) {
  PYCONV_EACH a.k[i] = as_i32(as_u32(a.k[i]) + as_u32(b.k[i]));
  return a;
}
PYCONV_INLINE vi isub(vi a, vi b) {
  PYCONV_EACH a.k[i] = as_i32(as_u32(a.k[i]) - as_u32(b.k[i]));
  return a;
}
template <int k>
PYCONV_INLINE vi ishl(vi a) {
  PYCONV_EACH a.k[i] = as_i32(as_u32(a.k[i]) << k);
  return a;
}
template <int k>
PYCONV_INLINE vi ishr(vi a) {
  PYCONV_EACH a.k[i] = as_i32(as_u32(a.k[i]) >> k);
  return a;
}
template <int k>
PYCONV_INLINE vi isar(vi a) {
  PYCONV_EACH a.k[i] = a.k[i] >> k;
  return a;
}
PYCONV_INLINE vf abs(vf a) { return from_bits(and_(bits(a), iset1(0x7fffffff))); }
PYCONV_INLINE vf neg(vf a) { return from_bits(xor_(bits(a), iset1(as_i32(0x80000000u)))); }
#define PYCONV_COMPARE(name, expression)                \
  PYCONV_INLINE vm name(vf a, vf b) {                   \
    vm m = 0;                                           \
    PYCONV_EACH if (expression) m |= 1u << i;           \
    return m;                                           \
  }
PYCONV_COMPARE(lt, a.f[i] < b.f[i])
PYCONV_COMPARE(le, a.f[i] <= b.f[i])
PYCONV_COMPARE(gt, a.f[i] > b.f[i])
PYCONV_COMPARE(ge, a.f[i] >= b.f[i])
PYCONV_COMPARE(eq, a.f[i] == b.f[i])
PYCONV_COMPARE(unord, a.f[i] != a.f[i] || b.f[i] != b.f[i])
#undef PYCONV_COMPARE
PYCONV_INLINE vm mask_and(vm a, vm b) { return a & b; }
PYCONV_INLINE vm mask_or(vm a, vm b) { return a | b; }
PYCONV_INLINE vm mask_not(vm a) { return ~a & 15u; }
PYCONV_INLINE bool any(vm m) { return m != 0; }
PYCONV_INLINE vf select(vm m, vf a, vf b) {
  PYCONV_EACH if (!(m >> i & 1u)) a.f[i] = b.f[i];
  return a;
}
// Adding and taking away 2^23 rounds to nearest even below it; larger values are integral already.
PYCONV_INLINE vf round_even(vf v) {
  PYCONV_EACH {
    const float x = v.f[i], magnitude = __builtin_fabsf(x);
    if (magnitude < 8388608.0f) v.f[i] = __builtin_copysignf((magnitude + 8388608.0f) - 8388608.0f, x);
  }
  return v;
}
PYCONV_INLINE vi to_int(vf v) {
  vi r;
  PYCONV_EACH r.k[i] = static_cast<std::int32_t>(v.f[i]);
  return r;
}
PYCONV_INLINE vf to_float(vi v) {
  vf r;
  PYCONV_EACH r.f[i] = static_cast<float>(v.k[i]);
  return r;
}
// Adding 1.5 * 2^23 leaves n in the low bits. The first product is exact, the second rounds.
PYCONV_INLINE vf scale2(vf v, vf n) {
  const vi k = isub(bits(add(n, set1(12582912.0f))), iset1(0x4b400000));
  const vi half = isar<1>(k), bias = iset1(127);
  const vf first = from_bits(ishl<23>(iadd(half, bias)));
  return mul(mul(v, first), from_bits(ishl<23>(iadd(isub(k, half), bias))));
}
PYCONV_INLINE vf permute(vf v, vi idx) {
  vf r;
  PYCONV_EACH r.f[i] = v.f[idx.k[i]];
  return r;
}

}  // namespace
}  // namespace scalar
}  // namespace pyconv
#undef PYCONV_EACH
