#include "ops/low_rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pyconv {

namespace {

constexpr std::int64_t kSpareVectors = 8;
constexpr int kMostSweeps = 40;

// Four sums side by side, so that the compiler has something to overlap.
double dot(const double* x, const double* y, std::int64_t n) {
  double sum[4] = {0.0, 0.0, 0.0, 0.0};
  std::int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int j = 0; j < 4; ++j) sum[j] += x[i + j] * y[i + j];
  for (; i < n; ++i) sum[0] += x[i] * y[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

void subtract(double* x, const double* y, double factor, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] -= factor * y[i];
}

// a = sum over i of coefficients[i] (rows) times basis[i] (cols), plus what is left in `rest`.
struct Projection {
  std::int64_t rows, cols, count = 0;
  std::vector<double> rest, basis, coefficients;
  double missing = 0.0;  // squared norm of rest

  Projection(const double* a, std::int64_t rows_, std::int64_t cols_)
      : rows(rows_), cols(cols_), rest(a, a + rows_ * cols_) {
    missing = dot(rest.data(), rest.data(), rows * cols);
  }

  const double* row(std::int64_t r) const { return rest.data() + r * cols; }

  // Takes the longest remaining row into the basis; false when nothing is left.
  bool extend() {
    std::int64_t pivot = 0;
    double longest = 0.0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double length = dot(row(r), row(r), cols);
      if (length > longest) {
        longest = length;
        pivot = r;
      }
    }
    if (longest <= 0.0) return false;
    basis.insert(basis.end(), row(pivot), row(pivot) + cols);
    double* q = basis.data() + count * cols;
    for (std::int64_t i = 0; i < count; ++i)
      subtract(q, basis.data() + i * cols, dot(q, basis.data() + i * cols, cols), cols);
    const double norm = std::sqrt(dot(q, q, cols));
    if (!(norm > 0.0)) {
      basis.resize(static_cast<std::size_t>(count * cols));
      return false;
    }
    for (std::int64_t i = 0; i < cols; ++i) q[i] /= norm;
    missing = 0.0;
    for (std::int64_t r = 0; r < rows; ++r) {
      double* line = rest.data() + r * cols;
      coefficients.push_back(dot(line, q, cols));
      subtract(line, q, coefficients.back(), cols);
      missing += dot(line, line, cols);
    }
    ++count;
    return true;
  }
};

void rotate(double* x, double* y, double cosine, double sine, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double xi = x[i], yi = y[i];
    x[i] = cosine * xi - sine * yi;
    y[i] = sine * xi + cosine * yi;
  }
}

// Rotates pairs until all coefficient vectors are orthogonal; the basis stays orthonormal.
void orthogonalise(Projection& p) {
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    bool rotated = false;
    for (std::int64_t i = 0; i < p.count; ++i)
      for (std::int64_t j = i + 1; j < p.count; ++j) {
        double* x = p.coefficients.data() + i * p.rows;
        double* y = p.coefficients.data() + j * p.rows;
        const double a = dot(x, x, p.rows), b = dot(y, y, p.rows), c = dot(x, y, p.rows);
        if (!(std::fabs(c) > 1e-15 * std::sqrt(a * b))) continue;
        rotated = true;
        const double zeta = (b - a) / (2.0 * c);
        const double t = std::copysign(1.0, zeta) / (std::fabs(zeta) + std::sqrt(1.0 + zeta * zeta));
        const double cosine = 1.0 / std::sqrt(1.0 + t * t), sine = cosine * t;
        rotate(x, y, cosine, sine, p.rows);
        rotate(p.basis.data() + i * p.cols, p.basis.data() + j * p.cols, cosine, sine, p.cols);
      }
    if (!rotated) return;
  }
}

}  // namespace

LowRank low_rank(const double* a, std::int64_t rows, std::int64_t cols, double tolerance,
                 std::int64_t most_rank) {
  Projection p(a, rows, cols);
  const double total = p.missing, allowed = tolerance * tolerance * total;
  const std::int64_t most = std::min({rows, cols, most_rank + kSpareVectors});
  while (p.missing > 0.01 * allowed && p.count < most && p.extend()) {
  }
  LowRank result;
  if (p.missing > allowed || most_rank < 1) return result;
  orthogonalise(p);
  std::vector<double> square(static_cast<std::size_t>(p.count));
  for (std::int64_t i = 0; i < p.count; ++i) {
    const double* c = p.coefficients.data() + i * rows;
    square[static_cast<std::size_t>(i)] = dot(c, c, rows);
  }
  std::vector<std::size_t> order(square.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return square[i] > square[j]; });
  double missing = p.missing;
  while (order.size() > 1 && missing + square[order.back()] <= allowed) {
    missing += square[order.back()];
    order.pop_back();
  }
  const std::int64_t rank = std::max<std::int64_t>(1, static_cast<std::int64_t>(order.size()));
  if (rank > most_rank) return result;
  result.found = true;
  result.rank = rank;
  result.error = total > 0.0 ? std::sqrt(missing / total) : 0.0;
  result.left.assign(static_cast<std::size_t>(rank * rows), 0.0);
  result.right.assign(static_cast<std::size_t>(rank * cols), 0.0);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::int64_t from = static_cast<std::int64_t>(order[k]), to = static_cast<std::int64_t>(k);
    const double scale = std::sqrt(std::sqrt(square[order[k]]));
    if (!(scale > 0.0)) continue;
    for (std::int64_t r = 0; r < rows; ++r)
      result.left[static_cast<std::size_t>(to * rows + r)] =
          p.coefficients[static_cast<std::size_t>(from * rows + r)] / scale;
    for (std::int64_t c = 0; c < cols; ++c)
      result.right[static_cast<std::size_t>(to * cols + c)] =
          p.basis[static_cast<std::size_t>(from * cols + c)] * scale;
  }
  return result;
}

}  // namespace pyconv
