"""Fully connected layers: every row and path, guarded, exact, bounded and bit for bit."""

from __future__ import annotations

import itertools

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import reference  # noqa: E402
from support.arrays import (  # noqa: E402
    assert_bounded,
    assert_same_bits,
    guarded,
    integers,
    nan_like,
    reals,
)
from support.fma32 import fma32  # noqa: E402

ROWS = [k for k in pyconv.kernels() if k.family == "linear"]
ISAS = sorted({k.isa for k in ROWS if k.available})


def chain(x, weight, bias):
    """The exact mode: one chain per output, in float32."""
    acc = np.broadcast_to(np.float32(0) if bias is None else bias, (len(x), len(weight))).astype(np.float32)
    for k in range(x.shape[1]):
        acc = fma32(x[:, None, k], weight[None, :, k], acc)
    return acc + np.float32(0)


def once(x, weight, bias, where="end", **options):
    out = guarded(nan_like((len(x), len(weight))), where)
    given_bias = None if bias is None else guarded(bias, where)
    got = pyconv.linear(guarded(x, where), guarded(weight, where), given_bias, out=out, **options)
    assert got is out
    return got


def planned(x, weight, bias, where="end", **options):
    plan = pyconv.LinearPlan(guarded(weight, where), bias, **options)
    out = guarded(nan_like((len(x), len(weight))), where)
    assert plan(guarded(x, where), out=out) is out
    return out


def cases(lanes):
    for i, (n, k) in enumerate(
        itertools.product(
            sorted({1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes, 5 * lanes + 3, 8 * lanes + 5, 16 * lanes}),
            (1, 2, 7, 8, 15, 16, 17, 33, 70),
        )
    ):
        yield 1 + i % 5, n, k


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row, where):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    call = planned if "panels" in row.name else once
    for i, (m, n, k) in enumerate(cases(row.tile[1])):
        rng = np.random.default_rng(i)
        options = {"kernel": row.name, "max_isa": row.isa, "where": where}
        what = f"{row.name} m{m} n{n} k{k}"
        x, weight, bias = (integers(rng, s) for s in ((m, k), (n, k), (n,)))
        bias = bias if i % 3 else None
        want = reference.linear(x, weight, bias) + 0.0
        assert_same_bits(call(x, weight, bias, **options), want.astype(np.float32), what)
        x, weight = reals(rng, x.shape), reals(rng, weight.shape)
        want = reference.linear(x, weight, bias)
        scale = reference.linear(np.abs(x), np.abs(weight), None if bias is None else np.abs(bias))
        got = call(x, weight, bias, **options)
        assert_bounded(got, want, scale, k, what)
        if "dot" not in row.name:
            assert_same_bits(got, chain(x, weight, bias), what)


@given(
    st.sampled_from([0, 1, 2, 3, 4, 5, 8, 17, 40, 200]), st.integers(0, 140), st.integers(0, 90),
    st.booleans(), st.integers(1, 3),
)  # fmt: skip
def test_exact_mode_is_one_result(m, n, k, biased, threads):
    rng = np.random.default_rng([m, n, k])
    x, weight, bias = reals(rng, (m, k)), reals(rng, (n, k)), reals(rng, (n,))
    special = np.float32([0.0, -0.0, np.inf, np.nan, 1e-40])
    for array in (x, weight):
        if array.size:
            array.ravel()[rng.integers(array.size)] = special[rng.integers(len(special))]
    want = chain(x, weight, bias if biased else None)
    for isa in ISAS:
        options = {"max_isa": isa, "threads": threads, "accuracy": "exact"}
        for call in (once, planned):
            got = call(x, weight, bias if biased else None, **options)
            assert_same_bits(got, want, f"{call.__name__} {isa} m{m} n{n} k{k}")


def split_sums(x, weight, bias):
    """The `dot` order in float32 numpy: 16 partial sums, their tree, the bias."""
    sums = np.zeros((len(x), len(weight), 16), np.float32)
    for k in range(x.shape[1]):
        sums[..., k % 16] = fma32(x[:, None, k], weight[None, :, k], sums[..., k % 16])
    for half in (8, 4, 2, 1):
        sums = sums[..., :half] + sums[..., half : 2 * half]
    return sums[..., 0] + bias + np.float32(0)


@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 70))
def test_split_sums_are_the_tree_of_the_contract(m, n, k):
    rng = np.random.default_rng([m, n, k])
    x, weight, bias = reals(rng, (m, k)), reals(rng, (n, k)), reals(rng, (n,))
    for isa in ISAS:
        got = once(x, weight, bias, kernel=f"linear_f32_dot_{isa}", max_isa=isa)
        assert_same_bits(got, split_sums(x, weight, bias), f"{isa} m{m} n{n} k{k}")


@pytest.mark.parametrize("m", [1, 3, 50])
def test_large_layers_in_both_accuracies(m):
    rng = np.random.default_rng(m)
    x, weight, bias = reals(rng, (m, 5000)), reals(rng, (130, 5000)), reals(rng, (130,))
    want = reference.linear(x, weight, bias)
    scale = reference.linear(np.abs(x), np.abs(weight), np.abs(bias))
    for accuracy, call, threads in itertools.product(("fast", "exact"), (once, planned), (1, 2)):
        got = call(x, weight, bias, accuracy=accuracy, threads=threads)
        assert_bounded(got, want, scale, 5000, f"{accuracy} {call.__name__}")


@pytest.mark.parametrize("activation", ["relu", "relu6", "silu", "gelu", "leaky_relu"])
@pytest.mark.parametrize("m", [1, 6, 50])
def test_activation_is_the_separate_one(m, activation):
    rng = np.random.default_rng(m)
    x, weight = reals(rng, (m, 30)), reals(rng, (45, 30))
    x[0, 0] = np.nan
    for call in (once, planned):
        plain = call(x, weight, None, accuracy="exact")
        fused = call(x, weight, None, accuracy="exact", activation=activation)
        assert_same_bits(fused, getattr(pyconv, activation)(plain), f"{call.__name__} {activation}")


def test_leading_dimensions_and_memory_order():
    rng = np.random.default_rng(0)
    x, weight = integers(rng, (2, 3, 4, 7)), integers(rng, (5, 7))
    want = reference.linear(x, weight).astype(np.float32)
    assert np.array_equal(pyconv.linear(x, weight), want)
    assert np.array_equal(pyconv.linear(x[0, 0, 0], weight), want[0, 0, 0])
    assert np.array_equal(pyconv.linear(x, np.asfortranarray(weight)), want)
    assert np.array_equal(pyconv.LinearPlan(weight)(x[:, ::2]), want[:, ::2])


def test_errors_name_the_argument():
    x, weight = np.zeros((2, 3), np.float32), np.zeros((4, 3), np.float32)
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 3\) .* got \(2, 4\)"):
        pyconv.linear(np.zeros((2, 4), np.float32), weight)
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 3\) .* got \(\)"):
        pyconv.linear(np.zeros((), np.float32), weight)
    with pytest.raises(ValueError, match=r"weight: expected shape \(out_features, in_features\), got \(3,\)"):
        pyconv.linear(x, weight[0])
    with pytest.raises(ValueError, match=r"bias: expected shape \(4,\), got \(3,\)"):
        pyconv.linear(x, weight, weight[0])
    with pytest.raises(TypeError, match="weight: expected dtype float32"):
        pyconv.linear(x, weight.astype(np.float64))
    with pytest.raises(ValueError, match="kernel: .*splits its sums"):
        pyconv.linear(x, weight, accuracy="exact", kernel="linear_f32_dot_scalar")
    with pytest.raises(ValueError, match="kernel: expected a linear row that reads packed weights"):
        pyconv.LinearPlan(weight, kernel="linear_f32_dot_scalar")
    with pytest.raises(ValueError, match="kernel: kernel 'nothing' is no gemm row"):
        pyconv.LinearPlan(weight, kernel="nothing")
    with pytest.raises(ValueError, match="out: expected shape"):
        pyconv.linear(x, weight, out=x)
