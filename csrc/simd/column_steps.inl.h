// Addresses of neighbouring columns. Include inside a target region, after simd/opaque.inl.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Column u of a row lies u * step bytes on. Odd multiples of the step are kept, the rest are scales
// of an address; every eight columns the base moves on.
struct ColumnSteps {
  std::int64_t one, three, five, seven;
  explicit PYCONV_INLINE ColumnSteps(std::int64_t floats)
      : one(opaque(4 * floats)), three(opaque(12 * floats)), five(opaque(20 * floats)),
        seven(opaque(28 * floats)) {}
  PYCONV_INLINE const float* at(const float* base, int u) const {
    const char* p = reinterpret_cast<const char*>(base);
    switch (u & 7) {
      case 1: p += one; break;
      case 2: p += 2 * one; break;
      case 3: p += three; break;
      case 4: p += 4 * one; break;
      case 5: p += five; break;
      case 6: p += 2 * three; break;
      case 7: p += seven; break;
    }
    return reinterpret_cast<const float*>(p);
  }
};

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
