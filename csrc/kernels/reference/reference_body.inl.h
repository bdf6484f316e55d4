// Body of the textbook loops; contract in reference.h. PYCONV_FMA1(a, b, c) is one fused
// multiply-add, PYCONV_ISA_NS the namespace.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

void reference_row(const ReferenceConv& p, std::int64_t n, std::int64_t q, std::int64_t y) {
  const float* src = p.src + n * p.src_at.image + q / p.ocg * p.icg * p.src_at.channel;
  const float* filter = p.weight + q * p.icg * p.kh * p.kw;
  for (std::int64_t x = 0; x < p.ow; ++x) {
    float acc = p.bias ? p.bias[q] : 0.0f;
    for (std::int64_t r = 0; r < p.kh; ++r)
      for (std::int64_t s = 0; s < p.kw; ++s) {
        const std::int64_t iy = y * p.sh - p.pt + r * p.dh, ix = x * p.sw - p.pl + s * p.dw;
        const bool inside = iy >= 0 && iy < p.ih && ix >= 0 && ix < p.iw;
        for (std::int64_t c = 0; c < p.icg; ++c) {
          const float value =
              inside ? src[c * p.src_at.channel + iy * p.src_at.row + ix * p.src_at.pixel] : 0.0f;
          acc = PYCONV_FMA1(value, filter[(c * p.kh + r) * p.kw + s], acc);
        }
      }
    acc += 0.0f;
    if (p.residual)
      acc += p.residual[n * p.residual_at.image + q * p.residual_at.channel +
                        y * p.residual_at.row + x * p.residual_at.pixel];
    acc = p.lo > acc ? p.lo : acc;
    acc = p.hi < acc ? p.hi : acc;
    p.dst[n * p.dst_at.image + q * p.dst_at.channel + y * p.dst_at.row + x * p.dst_at.pixel] = acc;
  }
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
