#include "ops/tensor/matmul.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/gemm/gemm.h"
#include "ops/extents.h"
#include "ops/gemm_panel.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

constexpr std::int64_t kRowBlock = 192;

Shape leading(const Shape& shape) {
  Shape out = shape;
  out.rank -= 2;
  return out;
}

std::vector<std::int64_t> matrix_strides(const Shape& own, const Shape& batch) {
  const TensorView view = broadcast_view(dense_view(nullptr, DType::f32, own), batch);
  return std::vector<std::int64_t>(view.strides, view.strides + batch.rank);
}

}  // namespace

Shape matmul_shape(const Shape& a, const Shape& b) {
  if (a.rank < 2 || b.rank < 2 || a[a.rank - 1] != b[b.rank - 2])
    throw InvalidArgument("b: expected matrices of as many rows as a " + a.text() +
                          " has columns, got " + b.text());
  Shape out = broadcast_shape(leading(a), leading(b));
  if (out.rank + 2 > kMaxRank) throw InvalidArgument("a: expected at most 8 dimensions");
  out.rank += 2;
  out[out.rank - 2] = a[a.rank - 2];
  out[out.rank - 1] = b[b.rank - 1];
  need_shape("output", out);
  return out;
}

MatmulPlan::MatmulPlan(const Shape& a, const Shape& b, DType dtype, Isa cap, int threads)
    : dtype_(dtype), m_(a[a.rank - 2]), n_(b[b.rank - 1]), k_(a[a.rank - 1]) {
  batch_shape_ = leading(matmul_shape(a, b));
  a_strides_ = matrix_strides(leading(a), batch_shape_);
  b_strides_ = matrix_strides(leading(b), batch_shape_);
  batches_ = batch_shape_.elements();
  if (leading(b).elements() == 1 && b.rank - 2 <= a.rank - 2) {  // one matrix for all rows of a
    m_ *= batches_;
    batches_ = std::min<std::int64_t>(1, batches_);
  }
  const double macs = static_cast<double>(batches_) * static_cast<double>(m_ * n_) * static_cast<double>(k_);
  threads_ = threads_for(macs / 24.0, threads);
  if (dtype != DType::f32) return;
  panels_ = plan_panels(gemm_registry(), n_, m_, k_, cap, {});
  for (const WeightPanel& panel : panels_)
    packed_floats_ = std::max<std::int64_t>(packed_floats_, (k_ + 1) * panel.kernel->tile_cols);
  packed_floats_ = (packed_floats_ + 15) / 16 * 16;
}

std::size_t MatmulPlan::workspace_bytes() const {
  return static_cast<std::size_t>(packed_floats_ * threads_) * sizeof(float);
}

std::int64_t MatmulPlan::matrix_of(std::int64_t batch,
                                   const std::vector<std::int64_t>& strides) const {
  std::int64_t at = 0;
  for (int i = batch_shape_.rank - 1; i >= 0; --i) {
    at += batch % batch_shape_[i] * strides[static_cast<std::size_t>(i)];
    batch /= batch_shape_[i];
  }
  return at;
}

// Columns of b as a panel, then all rows of a through it.
void MatmulPlan::run_panel(const WeightPanel& panel, const float* a, const float* b, float* dst,
                           float* packed) const {
  const GemmKernel& kernel = gemm_kernels()[panel.row];
  const std::int64_t width = kernel.info.tile_cols, columns = panel.columns;
  float* to = packed;
  for (std::int64_t k = 0; k < k_; ++k, to += width) {
    std::copy_n(b + k * n_ + panel.first_column, columns, to);
    std::fill_n(to + columns, width - columns, 0.0f);
  }
  std::fill_n(to, width, 0.0f);  // the bias
  for (std::int64_t row = 0; row < m_; row += kRowBlock) {
    const std::int64_t rows = std::min(kRowBlock, m_ - row);
    const float* pointers[kRowBlock];
    for (std::int64_t r = 0; r < rows; ++r) pointers[r] = a + (row + r) * k_;
    GemmTiles tiles;
    tiles.rows = pointers;
    tiles.depth = k_;
    tiles.panel = packed;
    tiles.out.dst = dst + row * n_ + panel.first_column;
    tiles.out.dst_stride = n_;
    tiles.out.columns = panel.columns;
    tiles.out.bias = to;
    multiply_panel(kernel, tiles, rows);
  }
}

template <class T>
void MatmulPlan::run_integers(const T* a, const T* b, T* dst) const {
  using U = std::make_unsigned_t<T>;
  parallel_for(batches_ * m_, threads_, [&](std::int64_t index, int) {
    const std::int64_t batch = index / m_, i = index % m_;
    const bool one = batches_ == 1;
    const T* row = a + ((one ? 0 : matrix_of(batch, a_strides_)) * m_ + i) * k_;
    const T* matrix = b + (one ? 0 : matrix_of(batch, b_strides_)) * k_ * n_;
    T* to = dst + index * n_;
    std::fill_n(to, n_, T{0});
    for (std::int64_t k = 0; k < k_; ++k)
      for (std::int64_t j = 0; j < n_; ++j)
        to[j] = static_cast<T>(static_cast<U>(to[j]) +
                               static_cast<U>(row[k]) * static_cast<U>(matrix[k * n_ + j]));
  });
}

void MatmulPlan::run(const void* a, const void* b, void* dst, void* workspace) const {
  if (batches_ * m_ * n_ == 0) return;
  if (dtype_ == DType::i64)
    return run_integers(static_cast<const std::int64_t*>(a), static_cast<const std::int64_t*>(b),
                        static_cast<std::int64_t*>(dst));
  if (dtype_ == DType::i32)
    return run_integers(static_cast<const std::int32_t*>(a), static_cast<const std::int32_t*>(b),
                        static_cast<std::int32_t*>(dst));
  const FpEnvScope fp_env;
  if (k_ == 0) {
    std::memset(dst, 0, static_cast<std::size_t>(batches_ * m_ * n_) * sizeof(float));
    return;
  }
  const auto count = static_cast<std::int64_t>(panels_.size());
  parallel_for(batches_ * count, threads_, [&](std::int64_t index, int worker) {
    const std::int64_t batch = index / count;
    const std::int64_t at_a = batches_ == 1 ? 0 : matrix_of(batch, a_strides_);
    const std::int64_t at_b = batches_ == 1 ? 0 : matrix_of(batch, b_strides_);
    run_panel(panels_[static_cast<std::size_t>(index % count)],
              static_cast<const float*>(a) + at_a * m_ * k_,
              static_cast<const float*>(b) + at_b * k_ * n_,
              static_cast<float*>(dst) + batch * m_ * n_,
              static_cast<float*>(workspace) + worker * packed_floats_);
  });
}

}  // namespace pyconv
