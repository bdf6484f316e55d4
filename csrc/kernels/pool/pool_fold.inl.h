// How the taps of a window are folded into one vector, shared by the pooling bodies; contract in
// pool.h. The maximum notes NaN in a mask, two taps at a time, and puts it in at the end: that costs
// half a comparison per tap, where a maximum that keeps NaN would cost a comparison and a selection.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

constexpr float kInf = __builtin_inff();

template <bool kMax>
PYCONV_INLINE vf fold_start() {
  return kMax ? set1(-kInf) : zero();
}

template <bool kMax>
PYCONV_INLINE void fold(vf& acc, vm& nan, vf v) {
  if (kMax) {
    nan = mask_or(nan, unord(v, v));
    acc = max(acc, v);
  } else {
    acc = add(acc, v);
  }
}

template <bool kMax>
PYCONV_INLINE void fold(vf& acc, vm& nan, vf v, vf w) {
  if (kMax) {
    nan = mask_or(nan, unord(v, w));
    acc = max(acc, max(v, w));
  } else {
    acc = add(add(acc, v), w);
  }
}

PYCONV_INLINE vf finish_max(vf acc, vm nan) {
  return select(nan, set1(__builtin_nanf("")), add(acc, zero()));
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
PYCONV_INLINE vf finish(vf acc, vm nan, const Divisor& d) {
  if (kMax) return finish_max(acc, nan);
  return d.multiply ? mul(acc, d.value) : div(acc, d.value);
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
