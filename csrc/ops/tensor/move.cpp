#include "ops/tensor/move.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/transpose/transpose.h"
#include "ops/layout.h"
#include "ops/tensor/loops.h"
#include "simd/fp_env.h"

namespace pyconv {

namespace {

// The axis of the nest's rows along which src's elements are neighbours, or -1: with the run of dst
// it spans the matrix that the transpose kernels turn.
int turned_axis(const LoopNest<2>& nest) {
  if (nest.step[1] != 1 || nest.step[0] == 1 || nest.step[0] < 0 || nest.n < 4) return -1;
  for (int i = nest.rank - 1; i >= 0; --i)
    if (nest.strides[0][i] == 1 && nest.strides[1][i] > 0 && nest.dims[i] >= 4) return i;
  return -1;
}

void copy_turned(const LoopNest<2>& nest, int axis, const float* src, float* dst, Isa cap,
                 int threads) {
  const TransposeKernel& kernel = *find_transpose(cap);
  const std::int64_t cols = nest.dims[axis], dst_stride = nest.strides[1][axis];
  LoopNest<2> outer;
  for (int i = 0; i < nest.rank; ++i) {
    if (i == axis) continue;
    outer.dims[outer.rank] = nest.dims[i];
    for (int v = 0; v < 2; ++v) outer.strides[v][outer.rank] = nest.strides[v][i];
    outer.rows *= nest.dims[i];
    ++outer.rank;
  }
  if (nest.step[0] == cols && dst_stride == nest.n && outer.rows == 1)
    return transpose(kernel, src, dst, 1, nest.n, cols, {cols, nest.n}, threads);
  constexpr std::int64_t kRows = 256, kCols = 64;
  const std::int64_t row_blocks = (nest.n + kRows - 1) / kRows;
  const std::int64_t col_blocks = (cols + kCols - 1) / kCols, blocks = row_blocks * col_blocks;
  threads = threads_for(static_cast<double>(outer.rows * cols * nest.n) / 3.0, threads);
  const std::int64_t group = threads == 1 ? outer.rows : 1;
  parallel_for((outer.rows + group - 1) / group * blocks, threads, [&](std::int64_t index, int) {
    const std::int64_t r = index % row_blocks * kRows, c = index / row_blocks % col_blocks * kCols;
    const std::int64_t first = index / blocks * group, last = std::min(outer.rows, first + group);
    RowWalk<2> walk(outer, first);
    for (std::int64_t row = first; row < last; ++row, walk.next())
      kernel.run({src + walk.at[0] + r * nest.step[0] + c, nest.step[0],
                  dst + walk.at[1] + c * dst_stride + r, dst_stride, std::min(kRows, nest.n - r),
                  std::min(kCols, cols - c)});
  });
}

template <class T>
void copy_rows(const LoopNest<2>& nest, const T* src, T* dst, int threads) {
  const std::int64_t ss = nest.step[0], sd = nest.step[1];
  for_rows(nest, threads, 1.0, [&](const std::int64_t* at, std::int64_t n) {
    const T* from = src + at[0];
    T* to = dst + at[1];
    if (ss == 1 && sd == 1 && n >= 16) {
      std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
    } else if (ss == 0 && sd == 1) {
      std::fill_n(to, n, *from);
    } else {
      for (std::int64_t i = 0; i < n; ++i) to[i * sd] = from[i * ss];
    }
  });
}

template <class To, class From>
To converted(From value) {
  if constexpr (std::is_same_v<From, float> && std::is_integral_v<To>) {
    // The bounds as floats are powers of two, or their neighbours for small types: exact.
    constexpr double kLow = static_cast<double>(std::numeric_limits<To>::min());
    constexpr double kHigh = static_cast<double>(std::numeric_limits<To>::max());
    if (value != value) return 0;
    if (static_cast<double>(value) <= kLow) return std::numeric_limits<To>::min();
    if (static_cast<double>(value) >= kHigh) return std::numeric_limits<To>::max();
  }
  return static_cast<To>(value);
}

template <class To, class From, class F>
void convert(const TensorView& src, const TensorView& dst, int threads, const F& f) {
  const LoopNest<2> nest = loop_nest<2>({&src, &dst});
  const std::int64_t ss = nest.step[0], sd = nest.step[1];
  for_rows(nest, threads, 1.0, [&](const std::int64_t* at, std::int64_t n) {
    const From* from = src.as<const From>() + at[0];
    To* to = dst.as<To>() + at[1];
    for (std::int64_t i = 0; i < n; ++i) to[i * sd] = f(from[i * ss]);
  });
}

}  // namespace

void copy(const TensorView& src, const TensorView& dst, Isa cap, int threads) {
  if (dst.shape.elements() == 0) return;
  const LoopNest<2> nest = loop_nest<2>({&src, &dst});
  const int axis = dtype_size(dst.dtype) == sizeof(float) ? turned_axis(nest) : -1;
  if (axis >= 0)
    return copy_turned(nest, axis, src.as<const float>(), dst.as<float>(), cap, threads);
  with_size(dst.dtype, [&](auto type) {
    using T = decltype(type);
    copy_rows(nest, src.as<const T>(), dst.as<T>(), threads);
  });
}

void fill(const void* value, const TensorView& dst, int threads) {
  TensorView one = dense_view(value, dst.dtype, Shape());
  copy(broadcast_view(one, dst.shape), dst, Isa::scalar, threads);
}

void where(const TensorView& cond, const TensorView& a, const TensorView& b, const TensorView& dst,
           int threads) {
  const TensorView wide_cond = broadcast_view(cond, dst.shape);
  const TensorView wide_a = broadcast_view(a, dst.shape), wide_b = broadcast_view(b, dst.shape);
  const LoopNest<4> nest = loop_nest<4>({&wide_cond, &wide_a, &wide_b, &dst});
  with_size(dst.dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(nest, threads, 1.5, [&](const std::int64_t* at, std::int64_t n) {
      const std::uint8_t* choice = cond.as<const std::uint8_t>() + at[0];
      const T* from_a = a.as<const T>() + at[1];
      const T* from_b = b.as<const T>() + at[2];
      T* to = dst.as<T>() + at[3];
      for (std::int64_t i = 0; i < n; ++i)
        to[i * nest.step[3]] =
            choice[i * nest.step[0]] ? from_a[i * nest.step[1]] : from_b[i * nest.step[2]];
    });
  });
}

void cast(const TensorView& src, const TensorView& dst, int threads) {
  if (src.dtype == dst.dtype) return copy(src, dst, Isa::scalar, threads);
  const FpEnvScope fp_env;
  with_type(src.dtype, [&](auto from) {
    using From = decltype(from);
    if (dst.dtype == DType::boolean)
      return convert<std::uint8_t, From>(src, dst, threads,
                                         [](From x) { return std::uint8_t(x != 0); });
    with_type(dst.dtype, [&](auto to) {
      convert<decltype(to), From>(src, dst, threads, converted<decltype(to), From>);
    });
  });
}

void gather(const TensorView& src, int axis, const TensorView& indices, const TensorView& dst,
            int threads) {
  std::int64_t outer = 1, block = 1;
  for (int i = 0; i < axis; ++i) outer *= src.shape[i];
  for (int i = axis + 1; i < src.shape.rank; ++i) block *= src.shape[i];
  const std::int64_t size = src.shape[axis], count = indices.shape.elements();
  const std::size_t bytes = static_cast<std::size_t>(block) * dtype_size(src.dtype);
  if (outer * count * block == 0) return;
  const bool narrow = indices.dtype == DType::i32;
  threads = threads_for(static_cast<double>(outer * count) * (4.0 + static_cast<double>(bytes) / 16),
                        threads);
  const std::int64_t group = threads == 1 ? outer * count : 256;
  parallel_for((outer * count + group - 1) / group, threads, [&](std::int64_t chunk, int) {
    const std::int64_t last = std::min(outer * count, (chunk + 1) * group);
    for (std::int64_t i = chunk * group; i < last; ++i) {
      const std::int64_t j = i % count;
      std::int64_t from = narrow ? indices.as<std::int32_t>()[j] : indices.as<std::int64_t>()[j];
      if (from < 0) from += size;
      char* to = dst.as<char>() + static_cast<std::size_t>(i) * bytes;
      if (from >= 0 && from < size)
        std::memcpy(to, src.as<char>() + static_cast<std::size_t>(i / count * size + from) * bytes,
                    bytes);
      else
        std::memset(to, 0, bytes);
    }
  });
}

void range(double start, double delta, const TensorView& dst) {
  const FpEnvScope fp_env;
  const std::int64_t n = dst.shape.elements();
  with_type(dst.dtype, [&](auto type) {
    using T = decltype(type);
    using Wide = std::conditional_t<std::is_same_v<T, float>, float, std::int64_t>;
    const Wide first = static_cast<Wide>(start), step = static_cast<Wide>(delta);
    for (std::int64_t i = 0; i < n; ++i)
      dst.as<T>()[i] = static_cast<T>(first + static_cast<Wide>(i) * step);
  });
}

}  // namespace pyconv
