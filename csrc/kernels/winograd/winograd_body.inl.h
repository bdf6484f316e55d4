// Generic body of the Winograd transforms; contract, matrices and their symbols in winograd.h.
// Included inside a target region, after simd/<isa>.h. P pairs of points: m = 2 P.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int P>
struct WinogradScheme {
  float e[P + 1] = {}, q[P][P] = {}, power[P][2 * P] = {};
  constexpr WinogradScheme() {
    multiply(-1, e);
    for (int i = 0; i < P; ++i) {
      float without[P + 1] = {};
      multiply(i, without);
      for (int k = 0; k < P; ++k) q[i][k] = without[k];
      power[i][0] = 1.0f;
      for (int j = 1; j < 2 * P; ++j) power[i][j] = power[i][j - 1] * kWinogradPoints[P - 1][i];
    }
  }
  // out = product of (t - p_i^2) over all pairs but `skip`.
  constexpr void multiply(int skip, float (&out)[P + 1]) const {
    out[0] = 1.0f;
    for (int i = 0; i < P; ++i) {
      const float square = kWinogradPoints[P - 1][i] * kWinogradPoints[P - 1][i];
      if (i == skip) continue;
      for (int k = P; k > 0; --k) out[k] = out[k - 1] - square * out[k];
      out[0] *= -square;
    }
  }
};

// k * x + y, k known when compiling.
PYCONV_INLINE vf multiply_add(float k, vf x, vf y) {
  if (k == 1.0f) return add(y, x);
  if (k == -1.0f) return sub(y, x);
  return fma(set1(k), x, y);
}

template <int P>
PYCONV_INLINE void input_pass(const vf (&d)[2 * P + 2], vf (&out)[2 * P + 2]) {
  constexpr WinogradScheme<P> scheme;
  out[0] = d[2 * P];
  out[2 * P + 1] = d[2 * P + 1];
#pragma GCC unroll 4
  for (int k = P - 1; k >= 0; --k) {
    out[0] = multiply_add(scheme.e[k], d[2 * k], out[0]);
    out[2 * P + 1] = multiply_add(scheme.e[k], d[2 * k + 1], out[2 * P + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < P; ++i) {
    vf even = d[2 * P], odd = d[2 * P - 1];
#pragma GCC unroll 4
    for (int k = P - 2; k >= 0; --k) {
      even = multiply_add(scheme.q[i][k], d[2 * k + 2], even);
      odd = multiply_add(scheme.q[i][k], d[2 * k + 1], odd);
    }
    out[1 + 2 * i] = multiply_add(kWinogradPoints[P - 1][i], odd, even);
    out[2 + 2 * i] = multiply_add(-kWinogradPoints[P - 1][i], odd, even);
  }
}

template <int P>
PYCONV_INLINE void output_pass(const vf (&m)[2 * P + 2], vf (&out)[2 * P]) {
  constexpr WinogradScheme<P> scheme;
  vf sum[P], difference[P];
#pragma GCC unroll 4
  for (int i = 0; i < P; ++i) {
    sum[i] = add(m[1 + 2 * i], m[2 + 2 * i]);
    difference[i] = sub(m[1 + 2 * i], m[2 + 2 * i]);
  }
#pragma GCC unroll 8
  for (int j = 0; j < 2 * P; ++j) {
    const vf(&part)[P] = j % 2 == 0 ? sum : difference;
    int i = 0;
    if (j == 0)
      out[j] = m[0];
    else if (j == 2 * P - 1)
      out[j] = m[2 * P + 1];
    else
      out[j] = mul(set1(scheme.power[i][j]), part[0]), i = 1;
#pragma GCC unroll 4
    for (; i < P; ++i) out[j] = multiply_add(scheme.power[i][j], part[i], out[j]);
  }
}

template <bool Tail>
PYCONV_INLINE vf load_channels(const float* p, vm tail) {
  return Tail ? load_tail(p, tail) : load(p);
}

template <int P, bool Table, bool Tail>
PYCONV_INLINE void input_vector(const WinogradInput& in, std::int64_t c, vm tail) {
  constexpr int A = 2 * P + 2;
  vf half[A][A];
#pragma GCC unroll 8
  for (int j = 0; j < A; ++j) {
    vf d[A], out[A];
#pragma GCC unroll 8
    for (int i = 0; i < A; ++i)
      d[i] = load_channels<Tail>(Table ? in.pixels[i * A + j] + c
                                       : in.src + i * in.row_stride + j * in.pixel_stride + c,
                                 tail);
    input_pass<P>(d, out);
#pragma GCC unroll 8
    for (int i = 0; i < A; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 8
  for (int i = 0; i < A; ++i) {
    vf out[A];
    input_pass<P>(half[i], out);
#pragma GCC unroll 8
    for (int j = 0; j < A; ++j) store(in.dst + (i * A + j) * in.element_stride + c, out[j]);
  }
}

template <int P, bool Table>
PYCONV_INLINE void input_channels(const WinogradInput& in) {
  std::int64_t c = 0;
  for (; c + VL <= in.channels; c += VL) input_vector<P, Table, false>(in, c, mask_first(VL));
  if (c < in.channels)
    input_vector<P, Table, true>(in, c, mask_first(static_cast<int>(in.channels - c)));
}

template <int P>
void winograd_input(const WinogradInput& in) {
  if (in.pixels)
    input_channels<P, true>(in);
  else
    input_channels<P, false>(in);
}

template <int P, bool Tail>
PYCONV_INLINE void output_vector(const WinogradOutput& out, std::int64_t c, vm tail) {
  constexpr int A = 2 * P + 2, M = 2 * P;
  vf half[M][A];
#pragma GCC unroll 8
  for (int j = 0; j < A; ++j) {
    vf m[A], column[M];
#pragma GCC unroll 8
    for (int i = 0; i < A; ++i) m[i] = load(out.src + (i * A + j) * out.element_stride + c);
    output_pass<P>(m, column);
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) half[i][j] = column[i];
  }
  const vf bias = load(out.bias + c), lo = set1(out.lo), hi = set1(out.hi);
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    if (i >= out.rows) break;
    vf y[M];
    output_pass<P>(half[i], y);
    float* to = out.dst + i * out.row_stride + c;
    const float* residual = out.residual ? out.residual + i * out.row_stride + c : nullptr;
#pragma GCC unroll 8
    for (int j = 0; j < M; ++j) {
      if (j >= out.cols) break;
      vf v = add(y[j], bias);
      if (residual) v = add(v, load_channels<Tail>(residual + j * out.pixel_stride, tail));
      v = min(hi, max(lo, v));
      if (Tail)
        store_tail(to + j * out.pixel_stride, v, tail);
      else
        store(to + j * out.pixel_stride, v);
    }
  }
}

template <int P>
void winograd_output(const WinogradOutput& out) {
  std::int64_t c = 0;
  for (; c + VL <= out.channels; c += VL) output_vector<P, false>(out, c, mask_first(VL));
  if (c < out.channels)
    output_vector<P, true>(out, c, mask_first(static_cast<int>(out.channels - c)));
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
