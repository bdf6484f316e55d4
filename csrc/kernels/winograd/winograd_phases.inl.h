// Generic body of the Winograd transforms of stride 2, by phases; contract and matrices in winograd.h. Included
// after winograd_body.inl.h. P pairs of points, 2 P outputs: of the 4 P + 1 elements of a row the first 2 P + 1
// come from the even pixels, the others are the odd pixels.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

// The elements of one row of V, of which the odd ones are stored already.
template <int P>
PYCONV_INLINE void phase_store(const vf (&even)[2 * P + 2], const Strides& elements, float* to) {
  vf out[2 * P + 2];
  input_pass<P, 2>(even, out);
#pragma GCC unroll 8
  for (int j = 0; j <= 2 * P; ++j) store(elements.at(to, j), out[j]);
}

// The row of V of point 0, or the two of a pair: no more than 2 (2 P + 1) vectors are alive and a column.
template <int P, bool Tail, int Group>
PYCONV_INLINE void phase_group(const WinogradInput& in, const Strides& elements, std::int64_t c, vm tail) {
  constexpr int A = 4 * P + 1, E = 2 * P + 1;
  vf first[E + 1], second[E + 1];
  float* to = opaque(in.dst + c + (Group > 0 ? 2 * Group - 1 : 0) * A * in.element_stride);
  float* odd = opaque(to + E * in.element_stride);
  float* other = Group > 0 ? opaque(odd + A * in.element_stride) : nullptr;
#pragma GCC unroll 16
  for (int j = 0; j < A; ++j) {
    vf d[E + 1], a, b;
#pragma GCC unroll 8
    for (int i = 0; i < E; ++i) d[i] = load_channels<Tail>(in.pixels[2 * i * A + j] + c, tail);
    d[E] = d[E - 1];
    input_rows<P, Group, 2>(d, a, b);
    if (j % 2 == 0) {
      first[j / 2] = a;
      second[j / 2] = b;
    } else {
      store(elements.at(odd, j / 2), a);
      if (Group > 0) store(elements.at(other, j / 2), b);
    }
  }
  first[E] = first[0];
  second[E] = second[0];
  phase_store<P>(first, elements, to);
  if (Group > 0) phase_store<P>(second, elements, opaque(to + A * in.element_stride));
}

template <int P, bool Tail>
PYCONV_INLINE void phase_odd_rows(const WinogradInput& in, const Strides& elements, std::int64_t c, vm tail) {
  constexpr int A = 4 * P + 1, E = 2 * P + 1;
  for (int i = 0; i < 2 * P; ++i) {
    const float* const* pixels = in.pixels + (2 * i + 1) * A;
    float* to = in.dst + c + (E + i) * A * in.element_stride;
    float* odd = opaque(to + E * in.element_stride);
    vf even[E + 1];
#pragma GCC unroll 16
    for (int j = 0; j < A; ++j) {
      const vf v = load_channels<Tail>(pixels[j] + c, tail);
      if (j % 2 == 0)
        even[j / 2] = v;
      else
        store(elements.at(odd, j / 2), v);
    }
    even[E] = even[0];
    phase_store<P>(even, elements, to);
  }
}

template <int P, bool Tail>
PYCONV_INLINE void phase_input_vector(const WinogradInput& in, const Strides& elements, std::int64_t c, vm tail) {
  phase_group<P, Tail, 0>(in, elements, c, tail);
  phase_group<P, Tail, 1>(in, elements, c, tail);
  if (P > 1) phase_group<P, Tail, P < 2 ? 1 : 2>(in, elements, c, tail);
  phase_odd_rows<P, Tail>(in, elements, c, tail);
}

template <int P>
void winograd_phase_input(const WinogradInput& description) {
  const WinogradInput in = description;
  const Strides elements(in.element_stride);
  std::int64_t c = 0;
  for (; c + VL <= in.channels; c += VL) phase_input_vector<P, false>(in, elements, c, mask_first(VL));
  if (c < in.channels)
    phase_input_vector<P, true>(in, elements, c, mask_first(static_cast<int>(in.channels - c)));
}

// y_j of the points' elements, and of the odd one if `odd` is not null.
template <int P>
PYCONV_WINOGRAD_PASS void phase_outputs(const vf (&m)[2 * P + 1], const vf* odd, vf (&out)[2 * P]) {
  constexpr WinogradScheme<P, 2> scheme;
  vf sum[P], difference[P];
#pragma GCC unroll 4
  for (int i = 0; i < P; ++i) {
    sum[i] = add(m[1 + 2 * i], m[2 + 2 * i]);
    difference[i] = sub(m[1 + 2 * i], m[2 + 2 * i]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 2 * P; ++j) {
    const vf(&part)[P] = j % 2 ? difference : sum;
    const float power = scheme.power[0][j];
    if (odd)
      out[j] = multiply_add(power, part[0], j ? odd[j] : add(m[0], odd[0]));
    else
      out[j] = j ? scale(power, part[0]) : add(m[0], part[0]);
#pragma GCC unroll 4
    for (int i = 1; i < P; ++i) out[j] = multiply_add(scheme.power[i][j], part[i], out[j]);
  }
}

// One row of M.
template <int P>
PYCONV_INLINE void phase_row(const float* from, std::int64_t element_stride, const Strides& elements,
                             vf (&out)[2 * P]) {
  vf m[2 * P + 1], odd[2 * P];
#pragma GCC unroll 8
  for (int j = 0; j <= 2 * P; ++j) m[j] = load(elements.at(from, j));
  from = opaque(from + (2 * P + 1) * element_stride);
#pragma GCC unroll 4
  for (int j = 0; j < 2 * P; ++j) odd[j] = load(elements.at(from, j));
  phase_outputs<P>(m, odd, out);
}

// The points' rows become 2 P x 2 P sums, which the odd rows are added to one by one.
template <int P, bool Tail>
PYCONV_INLINE void phase_output_vector(const WinogradOutput& out, const Strides& elements, const Strides& pixels,
                                       std::int64_t c, vm tail) {
  constexpr int A = 4 * P + 1, E = 2 * P + 1, M = 2 * P;
  vf half[E][M], y[M][M];
  const float* from = out.src + c;
#pragma GCC unroll 8
  for (int i = 0; i < E; ++i) {
    phase_row<P>(from, out.element_stride, elements, half[i]);
    from = opaque(from + A * out.element_stride);
  }
#pragma GCC unroll 4
  for (int j = 0; j < M; ++j) {
    vf m[E];
#pragma GCC unroll 8
    for (int i = 0; i < E; ++i) m[i] = half[i][j];
    phase_outputs<P>(m, nullptr, y[j]);
  }
  const vf bias = load(out.bias + c), lo = set1(out.lo), hi = set1(out.hi);
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) {
    if (i >= out.rows) break;
    vf odd[M];
    phase_row<P>(from, out.element_stride, elements, odd);
    from = opaque(from + A * out.element_stride);
    float* to = opaque(out.dst + c + i * out.row_stride);
    const float* residual = out.residual ? out.residual + c + i * out.residual_row : nullptr;
#pragma GCC unroll 4
    for (int j = 0; j < M; ++j) {
      if (j >= out.cols) break;
      vf v = add(add(y[j][i], odd[j]), bias);
      if (residual) {
        v = add(v, load_channels<Tail>(residual, tail));
        residual = opaque(residual + out.residual_pixel);
      }
      v = min(hi, max(lo, v));
      if (Tail)
        store_tail(pixels.at(to, j), v, tail);
      else
        store(pixels.at(to, j), v);
    }
  }
}

template <int P>
void winograd_phase_output(const WinogradOutput& description) {
  const WinogradOutput out = description;
  const Strides elements(out.element_stride), pixels(out.pixel_stride);
  std::int64_t c = 0;
  for (; c + VL <= out.channels; c += VL)
    phase_output_vector<P, false>(out, elements, pixels, c, mask_first(VL));
  if (c < out.channels)
    phase_output_vector<P, true>(out, elements, pixels, c, mask_first(static_cast<int>(out.channels - c)));
}

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
