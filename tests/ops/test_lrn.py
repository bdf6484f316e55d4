"""Local response normalisation: meaning, edges of the window, special numbers, one set of bits."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
import reference
from support.arrays import U, assert_same_bits, guarded, nan_like, reals

ISAS = [k.isa for k in pyconv.kernels() if k.available and k.family == "lrn"]
SHAPES = [(2, 7, 5, 5), (1, 1, 3, 3), (2, 16, 1, 1), (3, 33), (1, 5, 1100), (2, 40, 3, 4), (1, 100, 2, 2)]

each_isa = pytest.mark.parametrize("isa", ISAS)


def layouts(x):
    """The array and its channels-last form, with how to bring a result of that form back."""
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    return [("nchw", x, lambda y: y), ("nhwc", last, lambda y: np.ascontiguousarray(np.moveaxis(y, -1, 1)))]


@each_isa
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 200])
def test_error_is_bounded(isa, shape, size):
    x = reals(np.random.default_rng(size), shape)
    for options in ({}, {"alpha": 0.7, "beta": 0.5, "k": 2.0}, {"alpha": 3.0, "beta": -1.5, "k": 1e-3}):
        want = reference.lrn(x, size, **options)
        # The base has min(size, C) + 2 roundings of positive terms, magnified by beta; pow has 2 ulps.
        beta = abs(options.get("beta", 0.75))
        bound = U * (6 + beta * (min(size, shape[1]) + 4)) * np.abs(want)
        results = []
        for layout, source, back in layouts(x):
            got = back(pyconv.lrn(source, size, layout=layout, max_isa=isa, **options))
            assert (np.abs(got - want) <= bound).all(), (layout, options)
            results.append(got)
        assert_same_bits(results[0], results[1], "layouts")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_on_every_isa_and_thread_count(shape):
    x = reals(np.random.default_rng(1), shape)
    for layout, source, _ in layouts(x):
        want = pyconv.lrn(source, 5, alpha=0.3, layout=layout, max_isa="scalar", threads=1)
        for isa in ISAS:
            for threads in (1, 3):
                got = pyconv.lrn(source, 5, alpha=0.3, layout=layout, max_isa=isa, threads=threads)
                assert_same_bits(got, want, isa)


def test_many_threads():
    x = reals(np.random.default_rng(2), (3, 20, 50, 50))
    for layout, source, _ in layouts(x):
        want = pyconv.lrn(source, 5, layout=layout, threads=1)
        assert_same_bits(pyconv.lrn(source, 5, layout=layout, threads=3), want, layout)


@each_isa
def test_guarded(isa):
    for shape in [(1, 3, 17), (2, 5, 16), (2, 19)]:
        for layout, source, _ in layouts(reals(np.random.default_rng(3), shape)):
            want = pyconv.lrn(source, 3, layout=layout, max_isa="scalar")
            for where in ("begin", "end"):
                y = guarded(nan_like(source.shape), where)
                pyconv.lrn(guarded(source, where), 3, layout=layout, out=y, max_isa=isa)
                assert_same_bits(y, want, f"{layout} {where}")


@each_isa
@pytest.mark.parametrize("beta", [0.25, 0.5, 0.75, 1.0, 7.5, -2.0])
def test_power_over_its_whole_range(isa, beta):
    """x / k^beta with x = 1: the power itself, base from the smallest subnormal up."""
    rng = np.random.default_rng(4)
    bases = np.exp2(rng.uniform(-149, 127, 400)).astype(np.float32)
    one = np.ones((1, 1), np.float32)
    for base in [*bases, np.float32(1e-45), np.float32(3.4028235e38)]:
        got = pyconv.lrn(one, 1, alpha=0.0, beta=beta, k=float(base), max_isa=isa)[0, 0]
        with np.errstate(over="ignore"):
            want = np.power(np.float64(base), -np.float64(np.float32(beta)))
            rounded = np.float32(want)
        if not np.isfinite(rounded) or rounded == 0:
            assert got == rounded
        else:
            ulp = 2.0 ** (max(np.frexp(want)[1], -125) - 24)
            # By roots: a root and a quotient; the root of the root, which halves its error, and their
            # product. Each rounds once.
            roots = {0.5: 2.0, 0.75: 4.5}.get(beta)
            bound = 1.2 * ulp if roots is None else roots * 2.0**-24 * want + 2.0**-150
            assert abs(float(got) - want) <= bound, (base, got, want)


def test_special_numbers():
    nan, inf = np.nan, np.inf
    x = np.array([[nan, 1, 2, 3], [inf, 1, 2, 3], [-0.0, 0, 0, 1], [1e30, 1, 1e-45, 1]], np.float32)
    for isa in ISAS:
        got = pyconv.lrn(x, 3, alpha=3.0, beta=0.5, max_isa=isa)
        assert np.isnan(got[0, :2]).all() and np.isfinite(got[0, 2:]).all()
        assert np.isnan(got[1, 0]) and got[1, 1] == 0 and np.isfinite(got[1, 2:]).all()
        assert got[2, 0] == 0 and np.signbit(got[2, 0])
        assert got[3, 0] == 0 and got[3, 1] == 0  # the square overflows
        negative = pyconv.lrn(x[2:3], 1, alpha=0.0, k=-1.0, max_isa=isa)
        assert np.isnan(negative).all()
        nothing = pyconv.lrn(np.ones((1, 2), np.float32), 1, alpha=0.0, k=0.0, max_isa=isa)
        assert np.isposinf(nothing).all()
    assert_same_bits(pyconv.lrn(x, 3, beta=0.0), x, "beta 0")


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0)], ids=str)
def test_empty(shape):
    for layout in ("nchw", "nhwc"):
        assert pyconv.lrn(np.zeros(shape, np.float32), 3, layout=layout).shape == shape


def test_bad_arguments():
    x = np.zeros((1, 3, 2), np.float32)
    with pytest.raises(ValueError, match="^size: expected 1 or more, got 0"):
        pyconv.lrn(x, 0)
    with pytest.raises(TypeError, match="^size: expected an int, got float"):
        pyconv.lrn(x, 2.0)
    with pytest.raises(ValueError, match="^beta: expected a number between"):
        pyconv.lrn(x, 3, beta=float("nan"))
    with pytest.raises(ValueError, match=r"^x: expected shape \(N, C, ...\), got \(3,\)"):
        pyconv.lrn(np.zeros(3, np.float32), 3)
    with pytest.raises(ValueError, match="^out: expected memory of its own"):
        pyconv.lrn(x, 3, out=x)
