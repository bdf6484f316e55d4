// A matrix as a product of two thinner ones, by the singular value decomposition.
#pragma once
#include <cstdint>
#include <vector>

namespace pyconv {

// a (rows x cols) = left^T (rank x rows, transposed) * right (rank x cols), up to `error`.
struct LowRank {
  bool found = false;  // false: a rank above the limit is needed
  std::int64_t rank = 0;
  std::vector<double> left, right;
  double error = 0.0;  // Frobenius norm of what is missing, relative to that of a
};

// The truncated SVD of least rank, at least 1 and at most `most_rank`, whose error is at most
// `tolerance`. a: row-major, finite. The singular values are shared out evenly: both factors carry
// their square roots.
//
// Rows are first projected onto an orthonormal basis taken greedily from the longest remaining row
// (pivoted Gram-Schmidt, twice for orthogonality), which ends early where the rank is low; one-sided
// Jacobi rotations then make the coefficients orthogonal (Hestenes, "Inversion of matrices by
// biorthogonalization and related results", J. SIAM 6(1), 1958). The basis stops at most_rank + 8
// vectors: in a rare matrix whose greedy basis needs more than that, no rank is found.
LowRank low_rank(const double* a, std::int64_t rows, std::int64_t cols, double tolerance,
                 std::int64_t most_rank);

}  // namespace pyconv
