"""Elementwise operators of the graph on every type: broadcasting as numpy, and what has no numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pyconv
from pyconv.graph import GraphBuilder
from support.arrays import assert_same_bits, reals
from support.graph import both, fold, run
from support.ulp import SPECIAL, ulp_error

INTEGERS = (np.int64, np.int32, np.uint8, np.int8)
ARITHMETIC = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "min": np.minimum, "max": np.maximum}
COMPARISONS = {
    "equal": np.equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}
LOGICAL = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}


def edges(dtype):
    info = np.iinfo(dtype)
    return np.array([info.min, info.max, 0, 1, 2, 7, 100, info.max - 1, info.min + 1], dtype)


def pairs(dtype):
    if dtype == np.float32:
        values = np.concatenate([SPECIAL, reals(np.random.default_rng(1), 10)])
    elif dtype == np.bool_:
        values = np.array([False, True])
    else:
        values = edges(dtype)
    a, b = np.meshgrid(values, values)
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


@st.composite
def shapes(draw):
    """Two shapes that broadcast together."""
    full = draw(st.lists(st.sampled_from([1, 2, 3, 5, 17]), max_size=5))
    kept = [[draw(st.booleans()) for _ in full] for _ in range(2)]
    own = [[s if k else 1 for s, k in zip(full, keep)] for keep in kept]
    return tuple(tuple(s[draw(st.integers(0, len(s))) :]) for s in own)


@settings(max_examples=40, deadline=None)
@given(both_shapes=shapes(), dtype=st.sampled_from([np.float32, np.int64, np.int32]))
def test_broadcasts_as_numpy(both_shapes, dtype):
    rng = np.random.default_rng(2)
    a, b = (np.asarray(rng.integers(-9, 10, s), dtype) for s in both_shapes)
    for op in ("add", "sub", "less"):
        want = {**ARITHMETIC, **COMPARISONS}[op](a, b)
        np.testing.assert_array_equal(fold(op, a, b), want)
    np.testing.assert_array_equal(fold("where", a > 0, a, b), np.where(a > 0, a, b))


@pytest.mark.parametrize("dtype", [np.float32, *INTEGERS])
@pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS])
def test_values_of_every_type(op, dtype):
    a, b = pairs(dtype)
    with np.errstate(all="ignore"):
        want = {**ARITHMETIC, **COMPARISONS}[op](a, b)
    got = both(op, a, b)
    assert got.dtype == want.dtype
    if dtype == np.float32 and got.dtype == dtype and op not in ("min", "max"):
        assert_same_bits(got, want, op)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("op", [*LOGICAL, "equal"])
def test_booleans(op):
    a, b = pairs(np.bool_)
    np.testing.assert_array_equal(both(op, a, b), {**LOGICAL, "equal": np.equal}[op](a, b))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_division_never_traps(dtype):
    a, b = pairs(dtype)
    wide_a, wide_b = a.astype(object), b.astype(object)
    safe = np.where(b == 0, 1, wide_b)
    quotient = np.sign(wide_a) * np.sign(safe) * (abs(wide_a) // abs(safe))
    bits = np.iinfo(dtype).bits
    quotient = np.where(b == 0, 0, quotient) % 2**bits
    got = both("div", a, b)
    np.testing.assert_array_equal(got.astype(object) % 2**bits, quotient)
    np.testing.assert_array_equal(both("mod", a, b).astype(object), np.where(b == 0, 0, wide_a % safe))
    rest = wide_a - safe * (np.sign(wide_a) * np.sign(safe) * (abs(wide_a) // abs(safe)))
    np.testing.assert_array_equal(both("fmod", a, b).astype(object), np.where(b == 0, 0, rest))


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_integer_powers_wrap_around(dtype):
    a, b = pairs(dtype)
    bits = np.iinfo(dtype).bits
    got = both("pow", a, b).astype(object)
    for x, y, g in zip(a.ravel().tolist(), b.ravel().tolist(), got.ravel()):
        if y >= 0:
            assert (g - pow(x, y, 2**bits)) % 2**bits == 0
        else:
            assert g == {1: 1, -1: 1 - 2 * (y % 2)}.get(x, 0)


def test_float_division_power_and_fmod():
    a, b = pairs(np.float32)
    with np.errstate(all="ignore"):
        assert_same_bits(both("div", a, b), a / b)
        np.testing.assert_array_equal(both("fmod", a, b), np.fmod(a, b))
        np.testing.assert_array_equal(both("mod", a, b), np.mod(a, b))
        want = a.astype(np.float64) ** b.astype(np.float64)
        bound = 1.5 + np.nan_to_num(0.2 * np.abs(np.log(np.abs(a)) * b), posinf=0)
    assert (ulp_error(both("pow", a, b), want) <= bound).all()


UNARY = {"abs": np.abs, "neg": np.negative, "sign": np.sign, "floor": np.floor, "ceil": np.ceil}


@pytest.mark.parametrize("op", UNARY)
def test_functions_of_one_operand(op):
    x = np.concatenate([SPECIAL, reals(np.random.default_rng(3), 100)])
    np.testing.assert_array_equal(both(op, x), UNARY[op](x))
    for dtype in INTEGERS:
        i = edges(dtype)
        with np.errstate(all="ignore"):
            want = i if op in ("floor", "ceil") else UNARY[op](i)
        np.testing.assert_array_equal(both(op, i), want)


def test_clip():
    x = np.concatenate([SPECIAL, reals(np.random.default_rng(4), 50)])
    np.testing.assert_array_equal(both("clip", x, min=-1.0, max=2.5), np.clip(x, -1, 2.5))
    np.testing.assert_array_equal(both("clip", x, min=0.5), np.maximum(x, 0.5))
    np.testing.assert_array_equal(both("clip", x, min=3.0, max=1.0), np.where(np.isnan(x), x, 1))
    for dtype in INTEGERS:
        np.testing.assert_array_equal(both("clip", edges(dtype), min=1, max=50), np.clip(edges(dtype), 1, 50))
        np.testing.assert_array_equal(both("clip", edges(dtype)), edges(dtype))


def test_selu_celu_and_the_affine_hard_sigmoid():
    x = reals(np.random.default_rng(5), 200).astype(np.float64)
    x32 = x.astype(np.float32)
    gamma, alpha = 1.05070102214813232421875, 1.67326319217681884765625
    selu = np.where(x < 0, gamma * alpha * np.expm1(np.minimum(x, 0)), gamma * x)
    np.testing.assert_allclose(both("selu", x32), selu, rtol=1e-6)
    celu = np.where(x < 0, 2 * np.expm1(np.minimum(x, 0) / 2), x)
    np.testing.assert_allclose(both("celu", x32, alpha=2.0), celu, rtol=1e-6)
    np.testing.assert_allclose(both("affine_unit", x32), np.clip(0.2 * x + 0.5, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(both("thresholded_relu", x32, alpha=0.5), np.where(x32 > 0.5, x32, 0))


@pytest.mark.parametrize("slope", [(1,), (4, 1, 1), (3, 4, 5, 6), (6,), ()], ids=str)
def test_prelu(slope):
    rng = np.random.default_rng(6)
    x, p = reals(rng, (3, 4, 5, 6)), np.asarray(reals(rng, slope))
    assert_same_bits(both("prelu", x, p), np.where(x < 0, x * p, x))


def test_tests():
    x = SPECIAL
    np.testing.assert_array_equal(both("isnan", x), np.isnan(x))
    np.testing.assert_array_equal(both("isinf", x), np.isinf(x))
    np.testing.assert_array_equal(both("logical_not", np.array([True, False])), [False, True])


@pytest.mark.parametrize("to", ["float32", "int64", "int32", "uint8", "int8", "bool"])
def test_casts(to):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.9, 0.9, 1.5, -200, 300, 3e9, -3e9, 1e19, -1e19], np.float32)
    got = both("cast", x, to=to)
    if to == "bool":
        want = x != 0
    elif to == "float32":
        want = x
    else:
        info = np.iinfo(to)
        exact = [0 if v != v else min(max(v, info.min), info.max) for v in x.tolist()]
        want = np.array([int(v) for v in exact], to)
    np.testing.assert_array_equal(got, want)
    for dtype in INTEGERS:
        np.testing.assert_array_equal(both("cast", edges(dtype), to=to), edges(dtype).astype(to))


def test_channels_last_and_threads():
    """After a convolution images lie channels last; operands come from there and from row-major inputs."""
    rng = np.random.default_rng(7)
    x = reals(rng, (2, 8, 9, 11))
    others = [(2, 8, 9, 11), (8, 1, 1), (1, 8, 1, 1), (9, 1), (11,), (2, 1, 9, 11), (1, 1, 1, 1), ()]
    weight = np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1)
    for op, meaning in (("sub", np.subtract), ("max", np.maximum), ("prelu", None)):
        for shape in others:
            b = np.asarray(reals(rng, shape))
            builder = GraphBuilder()
            inputs = builder.input("x", x.shape), builder.input("b", b.shape)
            image = builder.node("conv", [inputs[0], builder.constant(weight)])
            builder.outputs([builder.node("mish", [builder.node(op, [image, inputs[1]])])])
            got = pyconv.compile(builder, threads=2)(x, b)
            want = fold("mish", np.where(x < 0, x * b, x) if meaning is None else meaning(x, b))
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6, err_msg=f"{op} {shape}")


def test_large_arrays_in_two_threads():
    rng = np.random.default_rng(8)
    a, b = reals(rng, (300, 1, 400)), reals(rng, (5, 400))
    np.testing.assert_array_equal(run("sub", a, b, options={"threads": 2}), a - b)
    np.testing.assert_array_equal(run("sub", b, a, options={"threads": 2}), b - a)


def test_bad_operands():
    x, i = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.int64)
    with pytest.raises(ValueError, match=r"\(sub\): b: expected float32 as a is, got int64"):
        fold("sub", x, i)
    with pytest.raises(ValueError, match=r"\(sub\): .*that broadcast together, got \(2, 3\) and \(2,\)"):
        fold("sub", x, x[:, 0].copy())
    with pytest.raises(ValueError, match=r"\(logical_and\): .*no such operation on float32"):
        fold("logical_and", x, x)
    with pytest.raises(ValueError, match=r"\(sub\): .*no such operation on bool"):
        fold("sub", x > 0, x > 0)
    with pytest.raises(ValueError, match=r"\(log\): x: expected float32, got int64"):
        fold("log", i)
    with pytest.raises(ValueError, match=r"\(cast\): to: expected"):
        fold("cast", x, to="float64")
    with pytest.raises(ValueError, match=r"\(where\): cond: expected bool"):
        fold("where", x, x, x)
    with pytest.raises(ValueError, match=r"\(prelu\): slope: expected a shape that broadcasts"):
        fold("prelu", x[0].copy(), x)
    with pytest.raises(ValueError, match=r"\(celu\): alpha: expected a positive number"):
        fold("celu", x, alpha=0.0)


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons_do_not_write_over_their_operand(op):
    """Two int64 and sixteen bool are both 16 bytes, and the operand dies here."""
    a = np.array([[3], [5]], np.int64)
    columns = np.arange(8, dtype=np.int64).reshape(1, 8)
    builder = GraphBuilder()
    dying = builder.node("add", [builder.input("a", a.shape, "int64"), builder.constant(np.int64([[1], [1]]))])
    flags = builder.node(op, [dying, builder.constant(columns)])
    builder.outputs([builder.node("logical_not", [flags])])
    np.testing.assert_array_equal(pyconv.compile(builder)(a), ~COMPARISONS[op](a + 1, columns))
