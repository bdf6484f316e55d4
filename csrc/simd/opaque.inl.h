// opaque(x): the pointer or integer x, with its origin hidden from the optimiser. Include inside a
// target region, after simd/<isa>.h.
//
// GCC hoists the addresses of all rows and columns of a register tile out of its loop and spills
// them; an address that passes through here is computed where it is used. Multiples of a step that
// pass through here stay operands of addresses instead of becoming a chain of additions. A constant
// that is reached through opaque(&x) is loaded at each use and holds no register.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <class T>
PYCONV_INLINE T opaque(T x) {
#if !defined(PYCONV_NO_ASM)
  asm volatile("" : "+r"(x));
#endif
  return x;
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
