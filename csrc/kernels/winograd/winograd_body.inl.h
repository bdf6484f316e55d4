// Generic body of the Winograd transforms; contract, matrices and their symbols in winograd.h.
// Included inside a target region, after simd/<isa>.h and simd/opaque.inl.h. P pairs of points, M = m.
#ifndef PYCONV_WINOGRAD_PASS  // how a pass over one row or column is called
#define PYCONV_WINOGRAD_PASS PYCONV_INLINE
#endif
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

template <int P, int Stride = 1>
struct WinogradScheme {
  static constexpr const float* points = winograd_points(P, Stride);
  float e[P + 1] = {}, q[P][P] = {}, power[P][2 * P] = {};
  constexpr WinogradScheme() {
    multiply(-1, e);
    for (int i = 0; i < P; ++i) {
      float without[P + 1] = {};
      multiply(i, without);
      for (int k = 0; k < P; ++k) q[i][k] = without[k];
      power[i][0] = 1.0f;
      for (int j = 1; j < 2 * P; ++j) power[i][j] = power[i][j - 1] * points[i];
    }
  }
  // out = product of (t - p_i^2) over all pairs but `skip`.
  constexpr void multiply(int skip, float (&out)[P + 1]) const {
    out[0] = 1.0f;
    for (int i = 0; i < P; ++i) {
      const float square = points[i] * points[i];
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

PYCONV_INLINE vf scale(float k, vf x) { return k == 1.0f ? x : mul(set1(k), x); }

// Rows of B^T d that belong together: group 0 is the first and the last, group g > 0 the pair
// +-p of point g - 1.
template <int P, int Group, int Stride = 1>
PYCONV_WINOGRAD_PASS void input_rows(const vf (&d)[2 * P + 2], vf& first, vf& second) {
  constexpr WinogradScheme<P, Stride> scheme;
  if (Group == 0) {
    first = d[2 * P];
    second = d[2 * P + 1];
#pragma GCC unroll 4
    for (int k = P - 1; k >= 0; --k) {
      first = multiply_add(scheme.e[k], d[2 * k], first);
      second = multiply_add(scheme.e[k], d[2 * k + 1], second);
    }
    return;
  }
  constexpr int i = Group > 0 ? Group - 1 : 0;
  constexpr float point = scheme.points[i];
  vf even = d[2 * P], odd = scale(point, d[2 * P - 1]);
#pragma GCC unroll 4
  for (int k = P - 2; k >= 0; --k) {
    even = multiply_add(scheme.q[i][k], d[2 * k + 2], even);
    odd = multiply_add(point * scheme.q[i][k], d[2 * k + 1], odd);
  }
  first = add(even, odd);
  second = sub(even, odd);
}

template <int P, int Stride = 1>
PYCONV_INLINE void input_pass(const vf (&d)[2 * P + 2], vf (&out)[2 * P + 2]) {
  input_rows<P, 0, Stride>(d, out[0], out[2 * P + 1]);
  input_rows<P, 1, Stride>(d, out[1], out[2]);
  if (P > 1) input_rows<P, P < 2 ? 1 : 2, Stride>(d, out[P > 1 ? 3 : 0], out[P > 1 ? 4 : 0]);
  if (P > 2) input_rows<P, P < 3 ? 1 : 3, Stride>(d, out[P > 2 ? 5 : 0], out[P > 2 ? 6 : 0]);
}

// y_j for j of one parity; even rows need the sums of pairs, odd rows the differences.
template <int P, int M, int Odd>
PYCONV_WINOGRAD_PASS void output_rows(const vf (&m)[2 * P + 2], vf (&out)[M / 2]) {
  constexpr WinogradScheme<P> scheme;
  vf part[P];
#pragma GCC unroll 4
  for (int i = 0; i < P; ++i)
    part[i] = Odd ? sub(m[1 + 2 * i], m[2 + 2 * i]) : add(m[1 + 2 * i], m[2 + 2 * i]);
#pragma GCC unroll 4
  for (int j = 0; j < M / 2; ++j) {
    const int row = 2 * j + Odd;
    const bool outer = row == 0 || row == M - 1;
    out[j] = outer ? multiply_add(scheme.power[0][row], part[0], m[Odd ? 2 * P + 1 : 0])
                   : scale(scheme.power[0][row], part[0]);
#pragma GCC unroll 4
    for (int i = 1; i < P; ++i) out[j] = multiply_add(scheme.power[i][row], part[i], out[j]);
  }
}

// The address k strides on, k < 8: odd multiples stand in registers, the others are scales of them.
struct Strides {
  std::int64_t one, three, five, seven;
  explicit PYCONV_INLINE Strides(std::int64_t floats)
      : one(opaque(4 * floats)), three(opaque(12 * floats)), five(opaque(20 * floats)),
        seven(opaque(28 * floats)) {}
  template <class T>
  PYCONV_INLINE T* at(T* base, int k) const {
    const std::int64_t bytes[8] = {0, one, 2 * one, three, 4 * one, five, 2 * three, seven};
    return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(base) +
                                static_cast<std::uintptr_t>(bytes[k]));
  }
};

template <bool Tail>
PYCONV_INLINE vf load_channels(const float* p, vm tail) {
  return Tail ? load_tail(p, tail) : load(p);
}

// The two rows of V of one group, so that no more than 2 (m + 2) vectors are alive: the tile's pixels
// are read once per group rather than kept.
template <int P, bool Table, bool Tail, int Group>
PYCONV_INLINE void input_group(const WinogradInput& in, const Strides& rows, const Strides& elements,
                               std::int64_t c, vm tail) {
  constexpr int A = 2 * P + 2;
  vf first[A], second[A];
  const float* column = Table ? nullptr : in.src + c;
#pragma GCC unroll 8
  for (int j = 0; j < A; ++j) {
    vf d[A];
#pragma GCC unroll 8
    for (int i = Group > 0; i < A - (Group > 0); ++i)
      d[i] = load_channels<Tail>(Table ? in.pixels[i * A + j] + c : rows.at(column, i), tail);
    if (Group > 0) d[0] = d[A - 1] = d[1];
    input_rows<P, Group>(d, first[j], second[j]);
    if (!Table) column = opaque(column + in.pixel_stride);
  }
  float* to = opaque(in.dst + c + (Group > 0 ? 2 * Group - 1 : 0) * A * in.element_stride);
  vf out[A];
  input_pass<P>(first, out);
#pragma GCC unroll 8
  for (int j = 0; j < A; ++j) store(elements.at(to, j), out[j]);
  to = opaque(to + (Group > 0 ? 1 : A - 1) * A * in.element_stride);
  input_pass<P>(second, out);
#pragma GCC unroll 8
  for (int j = 0; j < A; ++j) store(elements.at(to, j), out[j]);
}

template <int P, bool Table, bool Tail>
PYCONV_INLINE void input_vector(const WinogradInput& in, const Strides& rows, const Strides& elements,
                                std::int64_t c, vm tail) {
  input_group<P, Table, Tail, 0>(in, rows, elements, c, tail);
  input_group<P, Table, Tail, 1>(in, rows, elements, c, tail);
  if (P > 1) input_group<P, Table, Tail, P < 2 ? 1 : 2>(in, rows, elements, c, tail);
  if (P > 2) input_group<P, Table, Tail, P < 3 ? 1 : 3>(in, rows, elements, c, tail);
}

template <int P, bool Table>
PYCONV_INLINE void input_channels(const WinogradInput& in) {
  const Strides rows(in.row_stride), elements(in.element_stride);
  std::int64_t c = 0;
  for (; c + VL <= in.channels; c += VL)
    input_vector<P, Table, false>(in, rows, elements, c, mask_first(VL));
  if (c < in.channels)
    input_vector<P, Table, true>(in, rows, elements, c,
                                 mask_first(static_cast<int>(in.channels - c)));
}

// The descriptions are copied: a vector store may alias them, and would have them read again.
template <int P>
void winograd_input(const WinogradInput& description) {
  const WinogradInput in = description;
  if (in.pixels)
    input_channels<P, true>(in);
  else
    input_channels<P, false>(in);
}

template <int P, int M>
PYCONV_INLINE void output_pass(const vf (&m)[2 * P + 2], vf (&out)[M]) {
  vf even[M / 2], odd[M / 2];
  output_rows<P, M, 0>(m, even);
  output_rows<P, M, 1>(m, odd);
#pragma GCC unroll 4
  for (int j = 0; j < M / 2; ++j) {
    out[2 * j] = even[j];
    out[2 * j + 1] = odd[j];
  }
}

template <int P, int M, bool Tail>
PYCONV_INLINE void output_vector(const WinogradOutput& out, const Strides& elements,
                                 const Strides& rows, std::int64_t c, vm tail) {
  constexpr int A = 2 * P + 2;
  vf half[A][M];
  const float* from = out.src + c;
#pragma GCC unroll 8
  for (int i = 0; i < A; ++i) {
    vf m[A];
#pragma GCC unroll 8
    for (int j = 0; j < A; ++j) m[j] = load(elements.at(from, j));
    output_pass<P, M>(m, half[i]);
    from = opaque(from + A * out.element_stride);
  }
  const vf bias = load(out.bias + c), lo = set1(out.lo), hi = set1(out.hi);
#pragma GCC unroll 8
  for (int j = 0; j < M; ++j) {
    if (j >= out.cols) break;
    vf m[A], y[M];
#pragma GCC unroll 8
    for (int i = 0; i < A; ++i) m[i] = half[i][j];
    output_pass<P, M>(m, y);
    float* to = opaque(out.dst + c + j * out.pixel_stride);
    const float* residual = out.residual ? out.residual + c + j * out.residual_pixel : nullptr;
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) {
      if (i >= out.rows) break;
      vf v = add(y[i], bias);
      if (residual) {
        v = add(v, load_channels<Tail>(residual, tail));
        residual = opaque(residual + out.residual_row);
      }
      v = min(hi, max(lo, v));
      if (Tail)
        store_tail(rows.at(to, i), v, tail);
      else
        store(rows.at(to, i), v);
    }
  }
}

template <int P, int M>
void winograd_output(const WinogradOutput& description) {
  const WinogradOutput out = description;
  const Strides elements(out.element_stride), rows(out.row_stride);
  std::int64_t c = 0;
  for (; c + VL <= out.channels; c += VL)
    output_vector<P, M, false>(out, elements, rows, c, mask_first(VL));
  if (c < out.channels)
    output_vector<P, M, true>(out, elements, rows, c,
                           mask_first(static_cast<int>(out.channels - c)));
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
