// How the taps of a window are folded into one vector, shared by the pooling bodies; contract in
// pool.h. A maximum carries beside it the largest magnitude seen, compared as an integer: past that
// of infinity there was a NaN. That takes the integer pipes, which are idle, and carries no mask from
// step to step. The ISA file defines before it:
//
//   imax(a, b)   the larger int32 per lane
//   above(a, b)  vm, a > b
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

constexpr float kInf = __builtin_inff();

PYCONV_INLINE vi magnitude(vf v) { return and_(bits(v), iset1(0x7fffffff)); }

// A maximum in the making, or a sum (which leaves `peak` alone).
struct Folded {
  vf value;
  vi peak;
};

template <bool kMax>
PYCONV_INLINE Folded fold_start() {
  return {kMax ? set1(-kInf) : zero(), iset1(0)};
}

template <bool kMax>
PYCONV_INLINE Folded fold_first(vf v) {
  return kMax ? Folded{v, magnitude(v)} : Folded{add(zero(), v), iset1(0)};
}

template <bool kMax>
PYCONV_INLINE void fold(Folded& f, vf v) {
  f.value = kMax ? max(f.value, v) : add(f.value, v);
  if (kMax) f.peak = imax(f.peak, magnitude(v));
}

PYCONV_INLINE Folded larger(const Folded& a, const Folded& b) {
  return {max(a.value, b.value), imax(a.peak, b.peak)};
}

PYCONV_INLINE vf finish_max(const Folded& f) {
  const vm nan = above(f.peak, iset1(0x7f800000));
  return select(nan, set1(__builtin_nanf("")), add(f.value, zero()));
}

// Division by a constant. By a power of two the product with its reciprocal is the quotient, bit for
// bit, and takes a tenth of the time.
struct Divisor {
  vf value;
  bool multiply;
};

PYCONV_INLINE Divisor divisor_of(float d) {
  std::uint32_t u;
  std::memcpy(&u, &d, sizeof u);
  const bool power = (u & 0x7fffffu) == 0 && (u >> 23 & 0xffu) > 1 && (u >> 23 & 0xffu) < 250;
  return {set1(power ? 1.0f / d : d), power};
}

template <bool kMax>
PYCONV_INLINE vf finish(const Folded& f, const Divisor& d) {
  if (kMax) return finish_max(f);
  return d.multiply ? mul(f.value, d.value) : div(f.value, d.value);
}

// The taps [low, high) of `taps`, `dilation` apart from `at` on, that fall into [0, size).
struct TapRange {
  std::int64_t low, high;
};

inline TapRange taps_inside(std::int64_t at, std::int64_t taps, std::int64_t dilation,
                            std::int64_t size) {
  std::int64_t low = at < 0 ? (-at + dilation - 1) / dilation : 0;
  std::int64_t high = at + (taps - 1) * dilation >= size ? (size - at + dilation - 1) / dilation : taps;
  if (low > taps) low = taps;
  if (high < low) high = low;
  return {low, high};
}

// What one axis contributes to the divisor of an average (dilation 1).
PYCONV_INLINE std::int64_t counted(std::int64_t at, std::int64_t taps, std::int64_t size,
                                   std::int64_t padding, const TapRange& inside, bool include_pad) {
  if (!include_pad) return inside.high - inside.low;
  return at + taps > size + padding ? size + padding - at : taps;
}

// Outputs [first, last) along one axis whose taps all lie inside.
struct Interior {
  std::int64_t first, last;
};

inline Interior interior_of(std::int64_t size, std::int64_t out, std::int64_t taps,
                            std::int64_t stride, std::int64_t dilation, std::int64_t padding) {
  std::int64_t first = (padding + stride - 1) / stride;
  const std::int64_t room = size - 1 - (taps - 1) * dilation + padding;
  std::int64_t last = room < 0 ? 0 : room / stride + 1;
  if (last > out) last = out;
  if (first > last) first = last;
  return {first, last};
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
