"""pyconv.study.factorize: exact where the weights allow it, the nearest of its kind elsewhere."""

import numpy as np
import pytest

from pyconv.study import factorize

KERNEL = np.array([[3.0, 6, 9], [4, 8, 12], [5, 10, 15]])


def test_textbook_kernel_is_column_times_row():
    column, row, error = factorize.spatially_separable(KERNEL)
    assert error < 1e-15
    np.testing.assert_allclose(column / column[0] * 3, [3, 4, 5])
    np.testing.assert_allclose(row / row[0], [1, 2, 3])


def test_each_kernel_of_a_batch_is_taken_apart():
    rng = np.random.default_rng(0)
    column, row = rng.normal(size=(2, 4, 5)), rng.normal(size=(2, 4, 3))
    found = factorize.spatially_separable(column[..., None] * row[..., None, :])
    assert found.error < 1e-14
    rebuilt = found.column[..., None] * found.row[..., None, :]
    np.testing.assert_allclose(rebuilt, column[..., None] * row[..., None, :])


def test_a_cross_is_not_separable():
    assert factorize.spatially_separable([[0, 1, 0], [1, 1, 1], [0, 1, 0]]).error > 0.3


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_low_rank_finds_the_rank(rank):
    rng = np.random.default_rng(rank)
    first, second = rng.normal(size=(rank, 6, 3, 1)), rng.normal(size=(7, rank, 1, 5))
    weight = np.einsum("rchx,orxw->ochw", first, second)
    found = factorize.low_rank(weight, tolerance=1e-9)
    assert (found.rank, found.first.shape, found.second.shape) == (rank, (rank, 6, 3, 1), (7, rank, 1, 5))
    assert found.error < 1e-9
    np.testing.assert_allclose(np.einsum("rchx,orxw->ochw", found.first, found.second), weight, atol=1e-9)


def test_low_rank_keeps_its_tolerance_on_weights_of_full_rank():
    weight = np.random.default_rng(0).normal(size=(8, 4, 3, 3))
    exact, rough = factorize.low_rank(weight, tolerance=0.0), factorize.low_rank(weight, tolerance=0.5)
    assert exact.rank == 12 and exact.error < 1e-12
    assert rough.rank < 12 and 0 < rough.error <= 0.5


def test_depthwise_separable_weights_are_recovered():
    rng = np.random.default_rng(0)
    depthwise, pointwise = rng.normal(size=(4, 1, 3, 3)), rng.normal(size=(6, 4, 1, 1))
    found = factorize.depthwise_separable(pointwise * depthwise[:, 0])
    assert found.error < 1e-14
    np.testing.assert_allclose(found.pointwise * found.depthwise[:, 0], pointwise * depthwise[:, 0])


def test_zero_weights_have_no_error():
    assert factorize.spatially_separable(np.zeros((3, 3))).error == 0
    assert factorize.low_rank(np.zeros((2, 2, 3, 3))).error == 0


@pytest.mark.parametrize("weight", [np.zeros(3), np.zeros((0, 3))])
def test_kernels_need_two_axes(weight):
    with pytest.raises(ValueError, match="weight: expected"):
        factorize.spatially_separable(weight)


def test_dense_weights_need_four_axes():
    with pytest.raises(ValueError, match=r"weight: expected shape \(oc, ic, kh, kw\)"):
        factorize.low_rank(np.zeros((3, 3)))
