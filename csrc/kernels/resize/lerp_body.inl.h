// Generic body of the lerp kernels; contract in resize.h. Included inside a target region after
// simd/<isa>.h.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <bool kUniform>
void lerp(const LerpArgs& args) {
  const vf one = set1(1.0f), w0 = kUniform ? broadcast(args.w) : zero();
  std::int64_t i = 0;
  for (; i + VL <= args.n; i += VL) {
    const vf w = kUniform ? w0 : load(args.w + i);
    store(args.dst + i, fma(load(args.b + i), w, mul(load(args.a + i), sub(one, w))));
  }
  if (i == args.n) return;
  const vm tail = mask_first(static_cast<int>(args.n - i));
  const vf w = kUniform ? w0 : load_tail(args.w + i, tail);
  const vf a = load_tail(args.a + i, tail), b = load_tail(args.b + i, tail);
  store_tail(args.dst + i, fma(b, w, mul(a, sub(one, w))), tail);
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
