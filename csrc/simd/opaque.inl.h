// opaque(p): p, with its origin hidden from the optimiser. Include inside a target region, after
// simd/<isa>.h.
//
// GCC hoists the addresses of all rows and columns of a register tile out of its loop and spills
// them; an address that passes through here is computed where it is used.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

PYCONV_INLINE const float* opaque(const float* p) {
#if !defined(PYCONV_NO_ASM)
  asm("" : "+r"(p));
#endif
  return p;
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
