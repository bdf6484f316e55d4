"""Every registry row of the eltwise family: values, errors, tails, guard pages, and one set of bits."""

from __future__ import annotations

import math

import numpy as np
import pytest

import pyconv
import reference
from pyconv import _core
from support.arrays import assert_same_bits, guarded, integers, nan_like, reals
from support.fma32 import fma32
from support.ulp import SPECIAL, sample_floats, ulp_error

ROWS = [k for k in pyconv.kernels() if k.family == "eltwise" and k.available]
SIZES = [*range(35), 47, 48, 63, 64, 65, 127, 128, 129, 255, 257]
P, Q = 0.75, -1.5  # parameters where one number will do


def gelu_bound(x):
    """The square of x is rounded before its exponential is taken."""
    return 6.0 + 0.6 * np.minimum(np.abs(x), 14.5) ** 2


# Largest error in ulps over every float (docs/numerics.md), and the meaning in float64.
MEANING = {
    "relu": (0, reference.relu),
    "relu6": (0, reference.relu6),
    "leaky_relu": (0.5, lambda x: reference.leaky_relu(x, P)),
    "elu": (1.5, lambda x: reference.elu(x, P)),
    "sigmoid": (3.0, reference.sigmoid),
    "hard_sigmoid": (1.0, reference.hard_sigmoid),
    "silu": (4.0, lambda x: reference.silu(np.maximum(x, -1e4))),
    "sigmoid_fast": (8.0, reference.sigmoid),
    "tanh_fast": (8.0, reference.tanh),
    "silu_fast": (8.0, lambda x: reference.silu(np.maximum(x, -1e4))),
    "hard_swish": (2.0, lambda x: reference.hard_swish(np.maximum(x, -3))),
    "tanh": (3.0, reference.tanh),
    "gelu": (gelu_bound, lambda x: reference.gelu(np.maximum(x, -1e4))),
    "gelu_tanh": (4.0, lambda x: gelu_tanh(np.maximum(x, -1e4))),
    "exp": (1.0, lambda x: np.exp(np.asarray(x, np.float64))),
    "add": (0.5, lambda x: reference.add(x, P)),
    "mul": (0.5, lambda x: reference.mul(x, P)),
    "affine": (0.5, lambda x: np.asarray(x, np.float64) * P + Q),
    "sub": (0.5, lambda x: np.asarray(x, np.float64) - P),
    "div": (0.5, lambda x: np.asarray(x, np.float64) / P),
    "minimum": (0, lambda x: np.minimum(np.asarray(x, np.float64), P)),
    "maximum": (0, lambda x: np.maximum(np.asarray(x, np.float64), P)),
    "pow": (lambda x: 1.5 + 0.15 * np.abs(np.log(np.abs(x))), lambda x: np.asarray(x, np.float64) ** P),
    "clip": (0, lambda x: np.minimum(np.maximum(np.asarray(x, np.float64), P), Q)),
    "abs": (0, np.abs),
    "neg": (0, np.negative),
    "sign": (0, np.sign),
    "floor": (0, np.floor),
    "ceil": (0, np.ceil),
    "round": (0, np.round),
    "sqrt": (0.5, lambda x: np.sqrt(np.asarray(x, np.float64))),
    "reciprocal": (0.5, lambda x: 1 / np.asarray(x, np.float64)),
    "log": (1.5, lambda x: np.log(np.asarray(x, np.float64))),
    "erf": (1.5, lambda x: np.vectorize(math.erf)(np.asarray(x, np.float64))),
    "softplus": (2.5, lambda x: np.logaddexp(np.asarray(x, np.float64), 0)),
    "softsign": (1.5, lambda x: np.asarray(x, np.float64) / (1 + np.abs(x, dtype=np.float64))),
    "mish": (5.0, lambda x: mish(np.maximum(np.asarray(x, np.float64), -1e4))),
    "selu": (1.5, lambda x: selu(np.asarray(x, np.float64))),
    "celu": (2.5, lambda x: np.where(x < 0, P * np.expm1(np.minimum(np.asarray(x, np.float64) / P, 0)), x)),
    "thresholded_relu": (0, lambda x: np.where(x <= P, 0, x)),
    "affine_relu": (0.5, lambda x: np.maximum(np.asarray(x, np.float64) * P + Q, 0)),
    "affine_unit": (1.0, lambda x: np.clip(np.asarray(x, np.float64) * P + Q, 0, 1)),
}
ONE_PARAMETER = ("leaky_relu", "elu", "add", "mul", "sub", "div", "minimum", "maximum", "pow", "celu")
PARAMETERS = {
    **dict.fromkeys((*ONE_PARAMETER, "thresholded_relu"), 1),
    **dict.fromkeys(("affine", "clip", "selu", "affine_unit", "affine_relu"), 2),
}


def mish(x):
    e = np.exp(np.minimum(x, 100))
    return x * (e * (e + 2)) / (e * (e + 2) + 2)


def selu(x):
    return np.where(x < 0, P * np.expm1(np.minimum(x, 0)), Q * x)


def gelu_tanh(x):
    """x sigmoid(2u) is gelu's tanh formula without its cancellation."""
    x = np.asarray(x, np.float64)
    u = np.sqrt(2.0 / np.pi) * (x + 0.044715 * np.clip(x, -1e4, 1e4) ** 3)
    return x * reference.sigmoid(2.0 * u)


def op_of(row):
    return row.name.rsplit("_f32_", 1)[0]


def one(value):
    return np.array([value], np.float32)


def run(row, x, p=None, q=None, out=None):
    return _core.eltwise_kernel(row.name, x, one(P) if p is None else p, one(Q) if q is None else q, out)


def floor_row(row):
    return next(r for r in ROWS if r.name == f"{op_of(row)}_f32_scalar")


FAST = ("sigmoid_fast", "silu_fast", "tanh_fast")  # by other bits on each ISA
bits_rows = pytest.mark.parametrize(
    "row", [r for r in ROWS if op_of(r) not in FAST], ids=lambda row: row.name
)
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
rows_with_parameters = pytest.mark.parametrize(
    "row", [r for r in ROWS if op_of(r) in PARAMETERS], ids=lambda row: row.name
)


@pytest.mark.parametrize(
    "row", [r for r in ROWS if MEANING[op_of(r)][0] in (0, 0.5)], ids=lambda row: row.name
)
def test_small_integers_are_exact(row):
    op = op_of(row)
    x = np.arange(-64, 65, dtype=np.float32)
    with np.errstate(all="ignore"):
        want = MEANING[op][1](x).astype(np.float32)
    assert_same_bits(run(row, x), np.where(want == 0, x * 0, want) if op in ("mul", "leaky_relu") else want)


@every_row
def test_error_in_ulps(row):
    bound, meaning = MEANING[op_of(row)]
    x = sample_floats(np.random.default_rng(1), 4000 if row.isa == "scalar" else 20000)
    if op_of(row) in FAST and op_of(row) != "tanh_fast":
        x = np.where(x < -80, np.float32(-80), x)  # below, they stay near e^-87: tested apart
    with np.errstate(all="ignore"):
        error = ulp_error(run(row, x), meaning(x))
        excess = error - (np.nan_to_num(bound(x), posinf=0) if callable(bound) else bound)
    at = np.nanargmax(excess)
    assert excess[at] <= 0, f"{error[at]} ulps at {x[at]!r}"


@pytest.mark.parametrize(
    "row", [r for r in ROWS if op_of(r) in ("sigmoid_fast", "silu_fast")], ids=lambda row: row.name
)
def test_fast_rows_fade_to_nothing_and_pass_nan(row):
    x = np.float32([-np.inf, -1e30, -200, -103, -87.5, -80, np.inf, 1e30, 200, np.nan])
    got = run(row, x)
    assert (np.abs(got[:5]) < 1e-35).all() and np.isnan(got[-1])
    above = np.float32([1, 1, 1]) if "sigmoid" in row.name else x[6:9]
    np.testing.assert_array_equal(got[6:9], above)


@bits_rows
def test_same_bits_as_the_scalar_row(row):
    x = sample_floats(np.random.default_rng(2), 5000)
    assert_same_bits(run(row, x), run(floor_row(row), x), row.name)


@rows_with_parameters
def test_parameters_per_element(row):
    rng = np.random.default_rng(3)
    x, p, q = (sample_floats(rng, 500) for _ in range(3))
    for array in (p, q):
        rng.shuffle(array)
    got = run(row, x, p, q)
    assert_same_bits(got, run(floor_row(row), x, p, q), row.name)
    for i in range(0, x.size, 37):
        assert_same_bits(got[i : i + 1], run(row, x[i : i + 1], p[i : i + 1], q[i : i + 1]), str(x[i]))


@every_row
def test_guarded_at_every_size(row):
    """Nothing outside is touched; an element's bits depend neither on its place nor on the size."""
    rng = np.random.default_rng(4)
    whole = reals(rng, max(SIZES))
    want = run(row, whole)
    for size in SIZES:
        for where in ("begin", "end"):
            x, y = guarded(whole[:size], where), guarded(nan_like(size), where)
            run(row, x, out=y)
            assert_same_bits(y, want[:size], f"{size} {where}")
            run(row, x, out=x)
            assert_same_bits(x, want[:size], f"{size} {where} in place")


@rows_with_parameters
def test_parameters_guarded(row):
    rng = np.random.default_rng(5)
    x, p, q = (reals(rng, max(SIZES)) for _ in range(3))
    want = run(row, x, p, q)
    for size in (s for s in SIZES if s != 1):
        for where in ("begin", "end"):
            part = [guarded(a[:size], where) for a in (x, p, q)]
            y = guarded(nan_like(size), where)
            run(row, *part, out=y)
            assert_same_bits(y, want[:size], f"{size} {where}")


def test_pow_of_any_two_numbers():
    """Values, and the exceptions of IEEE 754. The logarithm's relative error of 2^-27.3 is magnified by
    y log x: 0.1 ulps for each 1 of that, up to 0.2 where an ulp is 2^-24 of the value."""
    rng = np.random.default_rng(8)
    whole = np.arange(-9, 10, dtype=np.float32)
    numbers = np.concatenate([SPECIAL, whole, np.float32([0.5, -0.5, 1e10, 16777217]), reals(rng, 60)])
    x, y = (a.reshape(-1).copy() for a in np.meshgrid(numbers, numbers))
    with np.errstate(all="ignore"):
        want = x.astype(np.float64) ** y.astype(np.float64)
        bound = 1.5 + np.nan_to_num(0.2 * np.abs(np.log(np.abs(x)) * y), posinf=0)
    for row in (r for r in ROWS if op_of(r) == "pow"):
        got = run(row, x, y, y)
        error = ulp_error(got, want)
        at = int(np.argmax(error - bound))
        assert error[at] <= bound[at], (
            f"{row.name}: {x[at]!r} ** {y[at]!r} gave {got[at]!r}, not {want[at]!r}"
        )
        zero = (want == 0) & (got == 0)
        np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(want[zero]))


def test_affine_is_one_fma():
    rng = np.random.default_rng(6)
    x, p, q = (np.concatenate([SPECIAL, reals(rng, 300)]) for _ in range(3))
    rng.shuffle(p)
    want = fma32(x, p, q)
    for row in (r for r in ROWS if op_of(r) == "affine"):
        assert_same_bits(run(row, x, p, q), want, row.name)


def test_hard_sigmoid_divides_with_one_rounding():
    y = np.arange(0, 6.0, 2.0**-20, dtype=np.float32)
    x = y - np.float32(3)
    want = (x + np.float32(3)) / np.float32(6)
    for row in (r for r in ROWS if op_of(r) == "hard_sigmoid" and r.isa != "scalar"):
        assert_same_bits(run(row, x), want, row.name)


def test_unknown_rows_are_refused():
    x = integers(np.random.default_rng(7), 3)
    with pytest.raises(ValueError, match="row: expected an available kernel of family eltwise"):
        _core.eltwise_kernel("relu_f32_abacus", x, one(0), one(0), None)
    with pytest.raises(ValueError, match="p: expected one float"):
        _core.eltwise_kernel("relu_f32_scalar", x, x, x, None)
