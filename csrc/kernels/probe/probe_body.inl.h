// Generic body of the probe in terms of simd/vec.h; see probe.h. Included inside a target region.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// Scalar's emulated FMA is no measure of a machine: it multiplies and adds, from a product that
// depends on the accumulator so that it can't be hoisted.
PYCONV_INLINE void probe_step(vf& acc, vf a, vf b) {
#if defined(PYCONV_PROBE_SPLIT)
  acc = add(mul(acc, a), b);
#else
  fma_into(acc, a, b);
#endif
}

float probe_fma_body(std::int64_t iterations) {
  const vf a = set1(0.5f), b = set1(1e-3f);
  vf c0 = set1(0), c1 = set1(1), c2 = set1(2), c3 = set1(3), c4 = set1(4), c5 = set1(5);
  vf c6 = set1(6), c7 = set1(7), c8 = set1(8), c9 = set1(9), c10 = set1(10), c11 = set1(11);
  for (std::int64_t i = 0; i < iterations; ++i) {
    probe_step(c0, a, b);
    probe_step(c1, a, b);
    probe_step(c2, a, b);
    probe_step(c3, a, b);
    probe_step(c4, a, b);
    probe_step(c5, a, b);
    probe_step(c6, a, b);
    probe_step(c7, a, b);
    probe_step(c8, a, b);
    probe_step(c9, a, b);
    probe_step(c10, a, b);
    probe_step(c11, a, b);
  }
  float out[VL];
  store(out, add(add(add(add(c0, c1), add(c2, c3)), add(add(c4, c5), add(c6, c7))),
                 add(add(c8, c9), add(c10, c11))));
  return out[0];
}

float probe_read_body(const float* src, std::int64_t n) {
  vf s0 = zero(), s1 = zero(), s2 = zero(), s3 = zero();
  vf s4 = zero(), s5 = zero(), s6 = zero(), s7 = zero();
  for (std::int64_t i = 0; i < n; i += 8 * VL) {
    s0 = add(s0, load(src + i));
    s1 = add(s1, load(src + i + VL));
    s2 = add(s2, load(src + i + 2 * VL));
    s3 = add(s3, load(src + i + 3 * VL));
    s4 = add(s4, load(src + i + 4 * VL));
    s5 = add(s5, load(src + i + 5 * VL));
    s6 = add(s6, load(src + i + 6 * VL));
    s7 = add(s7, load(src + i + 7 * VL));
  }
  float out[VL];
  store(out, add(add(add(s0, s1), add(s2, s3)), add(add(s4, s5), add(s6, s7))));
  return out[0];
}

void probe_copy_body(float* dst, const float* src, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += 4 * VL) {
    const vf x0 = load(src + i), x1 = load(src + i + VL);
    const vf x2 = load(src + i + 2 * VL), x3 = load(src + i + 3 * VL);
    store(dst + i, x0);
    store(dst + i + VL, x1);
    store(dst + i + 2 * VL, x2);
    store(dst + i + 3 * VL, x3);
  }
}

void probe_scale_body(float* dst, float factor, std::int64_t n) {
  const vf f = set1(factor);
  for (std::int64_t i = 0; i < n; i += 4 * VL) {
    store(dst + i, mul(f, load(dst + i)));
    store(dst + i + VL, mul(f, load(dst + i + VL)));
    store(dst + i + 2 * VL, mul(f, load(dst + i + 2 * VL)));
    store(dst + i + 3 * VL, mul(f, load(dst + i + 3 * VL)));
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
