"""Reductions, extremes and top-k of the graph: values against float64, the order of sums, NaN, every axis."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from support.arrays import U, assert_same_bits, integers, reals
from support.graph import both, fold, run

SUMS = {
    "reduce_sum": lambda x, **k: x.sum(**k),
    "reduce_mean": lambda x, **k: x.mean(**k),
    "reduce_l1": lambda x, **k: np.abs(x).sum(**k),
    "reduce_l2": lambda x, **k: np.sqrt((x * x).sum(**k)),
    "reduce_sum_square": lambda x, **k: (x * x).sum(**k),
    "reduce_prod": lambda x, **k: x.prod(**k),
    "reduce_max": lambda x, **k: x.max(**k),
    "reduce_min": lambda x, **k: x.min(**k),
    "reduce_log_sum": lambda x, **k: np.log(x.sum(**k)),
    "reduce_log_sum_exp": lambda x, **k: np.logaddexp.reduce(x, **k),
}
SHAPE = (3, 4, 5, 7)
AXES = [axes for n in range(5) for axes in itertools.combinations(range(4), n)]


@pytest.mark.parametrize("op", SUMS)
def test_all_axes(op):
    x = np.abs(reals(np.random.default_rng(1), SHAPE)) + 0.5
    for axes in AXES:
        if op == "reduce_log_sum_exp" and len(axes) != 1:
            want = np.log(np.exp(x.astype(np.float64)).sum(axis=axes, keepdims=True))
        else:
            axis = axes[0] if op == "reduce_log_sum_exp" else axes
            want = SUMS[op](x.astype(np.float64), axis=axis, keepdims=True)
        got = both(op, x, axes=list(axes))
        terms = int(np.prod([SHAPE[a] for a in axes]))
        if op == "reduce_prod":
            want_safe = np.where(want > 3e38, np.inf, want)
            np.testing.assert_allclose(got, want_safe, rtol=(terms + 2) * U)
        else:
            np.testing.assert_allclose(got, want, rtol=(terms / 16 + 12) * U, atol=8 * U)
        flat = fold(op, x, axes=list(axes), keepdims=0)
        assert_same_bits(flat, got.reshape(flat.shape))
    assert_same_bits(fold(op, x, keepdims=0), fold(op, x, axes=[0, 1, 2, 3], keepdims=0))


def sixteen_sums(x):
    """The order of contiguous reductions, wherever the axes stand."""
    sums = np.zeros(16, np.float32)
    for i, v in enumerate(x.ravel()):
        sums[i % 16] += v
    for half in (8, 4, 2, 1):
        sums[:half] += sums[half : 2 * half]
    return sums[0]


@pytest.mark.parametrize("axes", [(3,), (0,), (1, 2), (0, 3), (0, 1, 2, 3), (2, 3)], ids=str)
def test_order_of_sums(axes):
    x = reals(np.random.default_rng(2), (5, 6, 9, 37))
    moved = np.moveaxis(x, axes, range(4 - len(axes), 4)).reshape(-1, int(np.prod([x.shape[a] for a in axes])))
    want = np.array([sixteen_sums(row) for row in moved])
    for threads in (1, 2):
        got = run("reduce_sum", x, axes=list(axes), options={"threads": threads})
        assert_same_bits(got.ravel(), want)


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_integers(dtype):
    x = np.random.default_rng(3).integers(-50, 50, SHAPE).astype(dtype)
    for op in ("reduce_sum", "reduce_l1", "reduce_sum_square", "reduce_max", "reduce_min"):
        got = both(op, x, axes=[1, 3])
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, SUMS[op](x, axis=(1, 3), keepdims=True))
    wide = np.full((4, 3), np.iinfo(dtype).max, dtype)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(fold("reduce_sum", wide, axes=[0], keepdims=0), wide.sum(0, dtype=dtype))
        np.testing.assert_array_equal(fold("reduce_prod", wide, axes=[0], keepdims=0), wide.prod(0, dtype=dtype))
    flags = np.array([[True, False], [False, False]])
    np.testing.assert_array_equal(fold("reduce_max", flags, axes=[1], keepdims=0), [True, False])


def test_nothing_to_reduce_and_nan():
    empty = np.zeros((2, 0, 3), np.float32)
    empty_results = {
        "reduce_sum": 0,
        "reduce_prod": 1,
        "reduce_max": -np.inf,
        "reduce_min": np.inf,
        "reduce_mean": np.nan,
        "reduce_log_sum": -np.inf,
        "reduce_log_sum_exp": -np.inf,
    }
    for op, want in empty_results.items():
        np.testing.assert_array_equal(both(op, empty, axes=[1]), np.full((2, 1, 3), want, np.float32), op)
    x = np.array([[1, np.nan, 2], [np.nan, 3, 4], [5, 6, np.nan]], np.float32)
    for op in ("reduce_max", "reduce_min", "reduce_sum"):
        assert np.isnan(fold(op, x, axes=[1])).all()
    large = np.array([[1000.0, 1000.0], [-1000.0, -1000.0], [np.inf, 0]], np.float32)
    got = fold("reduce_log_sum_exp", large, axes=[1], keepdims=0)
    np.testing.assert_allclose(got, [1000 + np.log(2), -1000 + np.log(2), np.inf], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32, np.uint8])
def test_argmax_and_argmin(dtype):
    x = np.random.default_rng(4).integers(0, 4, SHAPE).astype(dtype)
    for axis in range(-4, 4):
        for op, function in (("argmax", np.argmax), ("argmin", np.argmin)):
            np.testing.assert_array_equal(both(op, x, axis=axis), function(x, axis, keepdims=True))
            last = SHAPE[axis] - 1 - function(np.flip(x, axis), axis)
            np.testing.assert_array_equal(fold(op, x, axis=axis, keepdims=0, last=1), last)


def test_extremes_take_nan():
    x = np.array([1, np.nan, 9, np.nan], np.float32)
    assert fold("argmax", x) == 1 and fold("argmin", x) == 1
    assert fold("argmax", x, last=1) == 3


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32])
def test_top_k(dtype, largest):
    x = np.random.default_rng(5).integers(-4, 5, (3, 8, 5)).astype(dtype)
    for axis in (-1, 0, 1):
        for k in (0, 1, x.shape[axis]):
            values, indices = both("top_k", x, k=k, axis=axis, largest=largest)
            order = np.argsort(-x if largest else x, axis=axis, kind="stable")
            want = np.take(order, range(k), axis)
            np.testing.assert_array_equal(indices, want)
            np.testing.assert_array_equal(values, np.take_along_axis(x, want, axis))
    values, _ = fold("top_k", np.array([1, np.nan, 3], np.float32), k=2)
    np.testing.assert_array_equal(values, [np.nan, 3])


def test_small_integers_are_exact():
    x = integers(np.random.default_rng(6), (4, 33, 17))
    np.testing.assert_array_equal(fold("reduce_sum", x, axes=[1]), x.sum(1, keepdims=True))


def test_bad_reductions():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="axes: expected an axis of a tensor of 2 dimensions, got 2"):
        fold("reduce_sum", x, axes=[2])
    with pytest.raises(ValueError, match="axes: expected each axis once"):
        fold("reduce_sum", x, axes=[1, -1])
    with pytest.raises(ValueError, match="x: no such reduction of int64"):
        fold("reduce_mean", x.astype(np.int64))
    with pytest.raises(ValueError, match="k: expected a number of 0 to 3, got 4"):
        fold("top_k", x, k=4)
    with pytest.raises(ValueError, match="x: expected one element or more along the axis"):
        fold("argmax", x[:0].copy())
