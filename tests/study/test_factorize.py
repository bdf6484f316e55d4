"""pyconv.study.factorize: exact where the weights allow it, the nearest of its kind elsewhere."""

import numpy as np
import pytest

from pyconv import Conv2dProblem
from pyconv.study import factorize
from pyconv.study.factors import Stage, composed

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


def test_rank_of_low_rank_can_be_given():
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
    errors = [factorize.low_rank(weight, rank=r).error for r in range(1, 10)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-12
    with pytest.raises(ValueError, match="rank: expected 1 to 9 for weights"):
        factorize.low_rank(weight, rank=10)


def test_a_multiplier_of_all_taps_is_exact():
    weight = np.random.default_rng(0).normal(size=(12, 4, 3, 3))
    errors = [factorize.depthwise_separable(weight, multiplier=m).error for m in range(1, 10)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-12
    with pytest.raises(ValueError, match="multiplier: expected 1 to 9"):
        factorize.depthwise_separable(weight, multiplier=10)


def made_of(method, rank, groups=1):
    """Weights that are a chain of this kind and rank, and no less."""
    rng = np.random.default_rng(7)
    shapes = factorize.shapes(method, (8 * groups, 6, 3, 5), rank, groups=groups)
    stages = [
        Stage(rng.normal(size=(s.oc, s.ic // s.groups, s.kh, s.kw)), s.groups, s.rows, s.columns)
        for s in shapes
    ]
    return composed(stages, groups)


RANKS = {"spatial": 4, "tucker2": (3, 2), "cp": 4, "depthwise": 2}


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("method", factorize.METHODS)
def test_weights_made_of_a_chain_are_taken_apart_exactly(method, groups):
    weight = made_of(method, RANKS[method], groups)
    found = factorize.factorize(weight, method, rank=RANKS[method], groups=groups)
    assert found.error < 1e-6
    np.testing.assert_allclose(found.weight(groups), weight, atol=1e-5 * np.abs(weight).max())


@pytest.mark.parametrize("method", ["spatial", "tucker2", "depthwise"])
def test_the_least_rank_within_a_tolerance_is_found(method):
    found = factorize.factorize(made_of(method, RANKS[method]), method, tolerance=1e-6)
    wanted = RANKS[method]
    assert found.rank == (wanted if isinstance(wanted, tuple) else (wanted,))


@pytest.mark.parametrize("method", factorize.METHODS)
@pytest.mark.parametrize("tolerance", [0.8, 0.4])
def test_a_tolerance_is_kept(method, tolerance):
    weight = np.random.default_rng(1).normal(size=(8, 6, 3, 3))
    found = factorize.factorize(weight, method, tolerance=tolerance)
    missed = np.linalg.norm(found.weight() - weight) / np.linalg.norm(weight)
    assert found.error == pytest.approx(missed) and missed <= tolerance
    alike = factorize.factorize(weight, method, energy=1 - tolerance**2)
    assert alike.rank == found.rank


@pytest.mark.parametrize("method", ["spatial", "tucker2", "depthwise"])
def test_options_say_what_a_rank_misses(method):
    weight = np.random.default_rng(2).normal(size=(9, 6, 3, 3))
    found = factorize.options(weight, method)
    assert [o.macs for o in found] == sorted(o.macs for o in found)
    assert [o.error for o in found] == sorted((o.error for o in found), reverse=True)
    for option in found[:: max(1, len(found) // 4)]:
        fitted = factorize.factorize(weight, method, rank=option.rank)
        assert fitted.parameters == option.parameters
        if method == "tucker2":  # orthogonal iteration gets nearer than what the option foretells
            assert fitted.error <= option.error + 1e-12
        else:
            assert fitted.error == pytest.approx(option.error, rel=1e-9, abs=1e-12)


def test_cp_gives_the_same_twice_and_less_error_with_more_rank():
    weight = np.random.default_rng(3).normal(size=(10, 7, 3, 3))
    first, second = (factorize.factorize(weight, "cp", rank=6) for _ in range(2))
    assert all((a.weight == b.weight).all() for a, b in zip(first.stages, second.stages))
    errors = [factorize.factorize(weight, "cp", rank=r).error for r in (1, 4, 12, 24)]
    assert errors == sorted(errors, reverse=True)


def test_counts_are_those_of_the_formulas():
    p = Conv2dProblem("ic6oc8_ih9iw11kh3sh2ph1")
    weight = np.random.default_rng(4).normal(size=(8, 6, 3, 3))
    low, high, out = 9 * 11, 5 * 11, 5 * 6  # pixels before, after the rows, after both
    wanted = {
        "spatial": (4 * 6 * 3 * high + 8 * 4 * 3 * out, 4 * 6 * 3 + 8 * 4 * 3),
        "tucker2": (2 * 6 * low + 3 * 2 * 9 * out + 8 * 3 * out, 2 * 6 + 3 * 2 * 9 + 8 * 3),
        "cp": (4 * 6 * low + 4 * 3 * high + 4 * 3 * out + 8 * 4 * out, 4 * (6 + 3 + 3 + 8)),
        "depthwise": (12 * 9 * out + 8 * 12 * out, 12 * 9 + 8 * 12),
    }
    for method, counts in wanted.items():
        found = factorize.factorize(weight, method, rank=RANKS[method])
        assert (found.macs(p), found.parameters) == counts
        lines = [Conv2dProblem(line) for line in found.problems(p)]
        assert sum(line.macs for line in lines) == found.macs(p)
        assert (lines[-1].oh, lines[-1].ow) == (p.oh, p.ow)


def test_a_pointwise_layer_becomes_two():
    weight = np.random.default_rng(5).normal(size=(8, 6, 1, 1))
    found = factorize.factorize(weight, "spatial", rank=6)
    assert [s.weight.shape for s in found.stages] == [(6, 6, 1, 1), (8, 6, 1, 1)] and found.error < 1e-12
    strided = Conv2dProblem("ic6oc8_ih8kh1sh2")
    assert [Conv2dProblem(line).sh for line in found.problems(strided)] == [2, 1]
    for method in ("tucker2", "cp", "depthwise"):
        with pytest.raises(ValueError, match=f"weight: {method} refuses 8x6x1x1: the kernel is 1x1"):
            factorize.factorize(weight, method, rank=1)


def test_a_depthwise_layer_becomes_columns_and_rows():
    kernels = np.multiply.outer(np.arange(1.0, 5), KERNEL)[:, None]
    found = factorize.factorize(kernels, "spatial", tolerance=1e-9, groups=4)
    assert found.rank == (1,) and found.parameters == 4 * (3 + 3)
    assert [s.groups for s in found.stages] == [4, 4]
    np.testing.assert_allclose(found.weight(4), kernels, atol=1e-10)


def test_structure_finds_separable_kernels():
    rng = np.random.default_rng(6)
    weight = rng.normal(size=(4, 3, 3, 3))
    weight[0] = np.multiply.outer(rng.normal(size=3), KERNEL)
    found = factorize.structure(weight)
    assert (found.kernels, found.rank_one) == (12, 3)
    assert set(found.energy) == set(factorize.METHODS)
    assert all(0 < share < 1 for share in found.energy.values())
    whole = factorize.structure(np.multiply.outer(np.ones((2, 2)), KERNEL))
    assert whole.rank_one == 4 and all(share == pytest.approx(1) for share in whole.energy.values())


def test_weights_of_zeros_stay_zeros():
    for method in factorize.METHODS:
        found = factorize.factorize(np.zeros((4, 3, 3, 3)), method, tolerance=0.1)
        assert found.error == 0 and not found.weight().any()


WEIGHT = np.ones((4, 3, 3, 3))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"method": "svd", "rank": 1}, "method: expected one of spatial, tucker2, cp, depthwise, got 'svd'"),
        ({"method": "cp"}, "rank, tolerance, energy: expected one of them"),
        ({"method": "cp", "rank": 1, "energy": 0.5}, "rank, tolerance, energy: expected one of them"),
        ({"method": "cp", "rank": 0}, "rank: expected 1 to 9 for cp of these weights, got 0"),
        ({"method": "tucker2", "rank": 2}, "rank: expected 1 to 4 and 1 to 3 for tucker2"),
        ({"method": "depthwise", "rank": 5}, "rank: expected 1 to 4 for depthwise"),
        ({"method": "spatial", "tolerance": -0.1}, "tolerance: expected 0 or more, got -0.1"),
        ({"method": "spatial", "tolerance": float("nan")}, "tolerance: expected 0 or more, got nan"),
        ({"method": "spatial", "energy": 1.5}, "energy: expected a share from 0 to 1, got 1.5"),
        ({"method": "spatial", "rank": 1, "groups": 3}, "groups: expected a divisor of 4 output channels"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        factorize.factorize(WEIGHT, **arguments)


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match="weight: expected finite numbers"):
        factorize.factorize(np.full((4, 3, 3, 3), np.nan), "spatial", rank=1)
    with pytest.raises(ValueError, match="no rank of cp comes within 1e-09, the best found is"):
        factorize.factorize(np.random.default_rng(0).normal(size=(4, 3, 3, 3)), "cp", tolerance=1e-9)
