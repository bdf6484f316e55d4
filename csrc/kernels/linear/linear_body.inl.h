// Generic bodies of the linear kernels; contract in linear.h. After simd/tree_sum.inl.h and
// kernels/transpose/tile_<isa>.inl.h. The register budget: 16 accumulators of 32 registers, 8 of 16.
namespace pyconv {
namespace PYCONV_ISA_NS {
namespace {

constexpr int kAccumulators = kRegisters / 2;

constexpr int at_most(int a, int b) { return a < b ? a : b; }
constexpr int at_least_one(int a) { return a < 1 ? 1 : a; }

// chain: NB blocks of VL outputs side by side, so that their chains overlap.

template <int MR, int NB>
PYCONV_INLINE void chain_step(const LinearRows& p, const float* weight, std::int64_t k, int rows,
                              int terms, vf (&acc)[MR][NB]) {
#pragma GCC unroll 4
  for (int b = 0; b < NB; ++b) {
    vf col[TC];
    if (rows == VL && terms == TC)
      tile_columns(weight + b * VL * p.depth + k, p.depth, col);
    else
      tile_columns_part(weight + b * VL * p.depth + k, p.depth, rows, terms, col);
#pragma GCC unroll 8
    for (int i = 0; i < TC; ++i) {
      if (i >= terms) break;
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) fma_into(acc[m][b], broadcast(p.x + m * p.x_stride + k + i), col[i]);
    }
  }
}

PYCONV_INLINE vf finish_linear(vf v, const LinearRows& p) {
  return min(set1(p.hi), max(set1(p.lo), add(v, zero())));
}

template <int MR, int NB>
PYCONV_INLINE void chain_block(const LinearRows& p, std::int64_t n, int rows) {
  const vm valid = mask_first(rows);
  const float* weight = p.weight + n * p.depth;
  vf acc[MR][NB];
#pragma GCC unroll 4
  for (int b = 0; b < NB; ++b) {
    vf bias = zero();
    if (p.bias) bias = rows == VL ? load(p.bias + n + b * VL) : load_tail(p.bias + n, valid);
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m) acc[m][b] = bias;
  }
  std::int64_t k = 0;
  if (rows == VL)
    for (; k + TC <= p.depth; k += TC) chain_step<MR, NB>(p, weight, k, VL, TC, acc);
  else
    for (; k + TC <= p.depth; k += TC) chain_step<MR, NB>(p, weight, k, rows, TC, acc);
  if (k < p.depth) chain_step<MR, NB>(p, weight, k, rows, static_cast<int>(p.depth - k), acc);
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m)
#pragma GCC unroll 4
    for (int b = 0; b < NB; ++b) {
      float* y = p.y + m * p.y_stride + n + b * VL;
      if (rows == VL)
        store(y, finish_linear(acc[m][b], p));
      else
        store_tail(y, finish_linear(acc[m][b], p), valid);
    }
}

template <int MR>
void chain_rows(const LinearRows& p) {
  constexpr int NB = at_least_one(at_most(4, kAccumulators / 2 / MR));
  std::int64_t n = p.first;
  for (; n + NB * VL <= p.last; n += NB * VL) chain_block<MR, NB>(p, n, VL);
  for (; n + VL <= p.last; n += VL) chain_block<MR, 1>(p, n, VL);
  if (n < p.last) chain_block<MR, 1>(p, n, static_cast<int>(p.last - n));
}

// dot: NB outputs side by side.

template <int MR, int NB>
PYCONV_INLINE void dot_block(const LinearRows& p, std::int64_t n) {
  vf acc[MR][NB][kSumVectors];
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m)
#pragma GCC unroll 8
    for (int b = 0; b < NB; ++b)
#pragma GCC unroll 4
      for (int j = 0; j < kSumVectors; ++j) acc[m][b][j] = zero();
  const float* weight = p.weight + n * p.depth;
  std::int64_t k = 0;
  for (; k + 16 <= p.depth; k += 16) {
#pragma GCC unroll 4
    for (int j = 0; j < kSumVectors; ++j) {
      vf x[MR];
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) x[m] = load(p.x + m * p.x_stride + k + j * VL);
#pragma GCC unroll 8
      for (int b = 0; b < NB; ++b) {
        const vf w = load(weight + b * p.depth + k + j * VL);
#pragma GCC unroll 4
        for (int m = 0; m < MR; ++m) fma_into(acc[m][b][j], x[m], w);
      }
    }
  }
#pragma GCC unroll 4
  for (int j = 0; j < kSumVectors; ++j, k += VL) {
    if (k >= p.depth) break;
    const vm valid = mask_first(p.depth - k < VL ? static_cast<int>(p.depth - k) : VL);
#pragma GCC unroll 8
    for (int b = 0; b < NB; ++b) {
      const vf w = load_tail(weight + b * p.depth + k, valid);
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m)
        fma_into(acc[m][b][j], load_tail(p.x + m * p.x_stride + k, valid), w);
    }
  }
  const vm one = mask_first(1);
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m)
#pragma GCC unroll 8
    for (int b = 0; b < NB; ++b) {
      vf total = tree_sum(acc[m][b]);
      if (p.bias) total = add(total, broadcast(p.bias + n + b));
      store_tail(p.y + m * p.y_stride + n + b, finish_linear(total, p), one);
    }
}

template <int MR>
void dot_rows(const LinearRows& p) {
  constexpr int NB = at_least_one(at_most(8, kAccumulators / (MR * kSumVectors)));
  std::int64_t n = p.first;
  for (; n + NB <= p.last; n += NB) dot_block<MR, NB>(p, n);
  for (; n < p.last; ++n) dot_block<MR, 1>(p, n);
}

// panels: NP panels of NV vectors side by side.

template <int MR, int NV, int NP>
PYCONV_INLINE void panel_group(const LinearPanels& p, int first) {
  const std::int64_t ahead = p.ahead;
  vf acc[NP][MR][NV];
  const float* b[NP];
#pragma GCC unroll 4
  for (int i = 0; i < NP; ++i) {
    b[i] = p.panel[first + i];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j)
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) acc[i][m][j] = load(p.bias[first + i] + j * VL);
  }
  for (std::int64_t k = 0; k < p.depth; ++k) {
#pragma GCC unroll 4
    for (int i = 0; i < NP; ++i, b[i - 1] += NV * VL) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        if (j * VL % 16 == 0) __builtin_prefetch(b[i] + j * VL + ahead, 0, 3);
        const vf w = load(b[i] + j * VL);
#pragma GCC unroll 4
        for (int m = 0; m < MR; ++m) fma_into(acc[i][m][j], broadcast(p.x + m * p.x_stride + k), w);
      }
    }
  }
  const vf lo = set1(p.lo), hi = set1(p.hi);
#pragma GCC unroll 4
  for (int i = 0; i < NP; ++i)
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m)
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const int rest = p.columns[first + i] - j * VL;
        if (rest <= 0) break;
        float* y = p.y[first + i] + m * p.y_stride + j * VL;
        const vf v = min(hi, max(lo, add(acc[i][m][j], zero())));
        if (rest >= VL)
          store(y, v);
        else
          store_tail(y, v, mask_first(rest));
      }
}

template <int MR, int NV>
PYCONV_INLINE void panels_of(const LinearPanels& p) {
  constexpr int NP = at_least_one(at_most(kLinearPanels, kAccumulators / (MR * NV)));
  int i = 0;
  for (; i + NP <= p.count; i += NP) panel_group<MR, NV, NP>(p, i);
  for (; i < p.count; ++i) panel_group<MR, NV, 1>(p, i);
}

template <int MR>
void panel_rows(const LinearPanels& p) {
  switch (p.vectors) {
    case 1: return panels_of<MR, 1>(p);
    case 2: return panels_of<MR, 2>(p);
    case 3: return panels_of<MR, 3>(p);
    default: return panels_of<MR, 4>(p);
  }
}

#define PYCONV_BY_ROWS(function)        \
  switch (p.rows) {                     \
    case 1: return function<1>(p);      \
    case 2: return function<2>(p);      \
    case 3: return function<3>(p);      \
    default: return function<4>(p);     \
  }

void linear_chain(const LinearRows& p) { PYCONV_BY_ROWS(chain_rows) }
void linear_dot(const LinearRows& p) { PYCONV_BY_ROWS(dot_rows) }
void linear_panels(const LinearPanels& p) { PYCONV_BY_ROWS(panel_rows) }
#undef PYCONV_BY_ROWS

}  // namespace
}  // namespace PYCONV_ISA_NS
}  // namespace pyconv
