"""Pooling: every row against the reference, around its lanes, between guards, bit for bit."""

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

WINDOWS = [k for k in pyconv.kernels() if k.family == "pool"]
GLOBALS = [k for k in pyconv.kernels() if k.family == "global_pool"]
ISAS = sorted({k.isa for k in WINDOWS if k.available})
LAYOUTS = ("nchw", "nhwc")


def run(function, x, *args, layout="nchw", where="end", shape=None, **options):
    """The result in NCHW; operands touch a guard page and the output starts as NaN."""
    given_x = np.ascontiguousarray(x if layout == "nchw" else x.transpose(0, 2, 3, 1))
    n, c, h, w = shape
    out = guarded(nan_like((n, c, h, w) if layout == "nchw" else (n, h, w, c)), where)
    got = function(guarded(given_x, where), *args, layout=layout, out=out, threads=1, **options)
    assert got is out
    return got if layout == "nchw" else got.transpose(0, 3, 1, 2)


def row_layout(row):
    return "nhwc" if "nhwc" in row.name else "nchw"


def is_max(row):
    return "max" in row.name


def skip_unavailable(row):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")


def window_cases(row):
    """(shape, kernel, options) around the lanes, with borders on every side."""
    lanes = row.tile[1]
    kernels = [(2, 2), (3, 3), (3, 2), (1, 4), (5, 5)]
    sides = sorted({1, 3, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 5 * lanes})
    for i, (side, kernel) in enumerate(itertools.product(sides, kernels)):
        for stride in (1, 2):
            c, w = (side, 5 + i % 7) if row_layout(row) == "nhwc" else (1 + i % 3, side + kernel[1])
            options = {"stride": (1 + i % 3, stride), "ceil_mode": i % 2 == 0}
            options["padding"] = (kernel[0] // 2 * (i % 2), kernel[1] // 2 * (stride == 1 or i % 2))
            if is_max(row):
                options["dilation"] = (1 + i % 2, 1 + (i // 3) % 2)
            else:
                options["count_include_pad"] = i % 3 != 0
                options["divisor_override"] = (None, None, None, 5, -3)[i % 5]
            yield (1 + i % 2, c, 6 + kernel[0] + i % 3, max(w, 2 * kernel[1])), kernel, options


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", WINDOWS, ids=lambda row: row.name)
def test_window_row(row, where):
    skip_unavailable(row)
    function = pyconv.max_pool2d if is_max(row) else pyconv.avg_pool2d
    meaning = reference.max_pool2d if is_max(row) else reference.avg_pool2d
    for i, (shape, kernel, options) in enumerate(window_cases(row)):
        rng = np.random.default_rng(i)
        how = {"layout": row_layout(row), "where": where, "kernel": row.name, **options}
        what = f"{row.name} {shape} {kernel} {options}"
        x = integers(rng, shape)
        want = meaning(x, kernel, **options)
        got = run(function, x, kernel, shape=want.shape, **how)
        assert_same_bits(got, want.astype(np.float32), what)
        x = reals(rng, shape)
        want = meaning(x, kernel, **options)
        scale = np.abs(want) if is_max(row) else meaning(np.abs(x), kernel, **options)
        got = run(function, x, kernel, shape=want.shape, **how)
        terms = -2 if is_max(row) else kernel[0] * kernel[1]
        assert_bounded(got, want, np.abs(scale), terms, what)


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", GLOBALS, ids=lambda row: row.name)
def test_global_row(row, where):
    skip_unavailable(row)
    function = pyconv.global_max_pool2d if is_max(row) else pyconv.global_avg_pool2d
    meaning = reference.global_max_pool2d if is_max(row) else reference.global_avg_pool2d
    lanes = row.tile[1]
    for i, (c, w) in enumerate(
        itertools.product((1, lanes - 1, lanes, 4 * lanes + 3, 9 * lanes), (1, 2, 7, 15, 16, 17, 33, 50))
    ):
        rng = np.random.default_rng(i)
        how = {"layout": row_layout(row), "where": where, "kernel": row.name, "shape": (2, c, 1, 1)}
        x = integers(rng, (2, c, 1 + i % 3, w))
        assert_same_bits(run(function, x, **how), meaning(x).astype(np.float32), row.name)
        x = reals(rng, x.shape)
        scale = np.abs(meaning(x)) if is_max(row) else meaning(np.abs(x))
        assert_bounded(run(function, x, **how), meaning(x), scale, x.shape[2] * x.shape[3], row.name)


def tree_sum(x):
    """The order of summation that global averages promise, in float32 numpy."""
    flat = x.reshape(*x.shape[:2], -1)
    sums = np.zeros((*x.shape[:2], 16), np.float32)
    for i in range(flat.shape[2]):
        sums[..., i % 16] += flat[..., i]
    for half in (8, 4, 2, 1):
        sums = sums[..., :half] + sums[..., half : 2 * half]
    return sums[..., 0]


@given(st.integers(1, 3), st.integers(1, 70), st.integers(1, 9), st.integers(1, 40))
def test_global_average_is_the_tree_of_the_contract(n, c, h, w):
    x = reals(np.random.default_rng([n, c, h, w]), (n, c, h, w))
    want = (tree_sum(x) / np.float32(h * w))[..., None, None]
    for isa, layout in itertools.product(ISAS, LAYOUTS):
        got = run(pyconv.global_avg_pool2d, x, layout=layout, max_isa=isa, shape=want.shape)
        assert_same_bits(got, want, f"{isa} {layout}")


@st.composite
def pools(draw):
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 18)))
    options = {
        "stride": draw(st.one_of(st.none(), st.tuples(st.integers(1, 4), st.integers(1, 4)))),
        "padding": tuple(draw(st.integers(0, k // 2)) for k in kernel),
        "dilation": draw(st.tuples(st.integers(1, 2), st.integers(1, 3))),
        "ceil_mode": draw(st.booleans()),
    }
    least = [d * (k - 1) + 1 for k, d in zip(kernel, options["dilation"])]
    h, w = (low + draw(st.integers(0, 40)) for low in least)
    shape = (draw(st.integers(0, 2)), draw(st.sampled_from([1, 2, 3, 7, 16, 33])), h, w)
    return shape, kernel, options


@given(pools(), st.booleans(), st.integers(1, 3))
def test_one_result_everywhere(pool, include_pad, divisor):
    """With NaN, infinities and both zeros among the values."""
    shape, kernel, options = pool
    rng = np.random.default_rng(abs(hash(str(pool))) % 2**32)
    x = reals(rng, shape)
    special = np.float32([0.0, -0.0, np.inf, -np.inf, np.nan, -1e-42])
    few = rng.random(shape) < 0.05
    x[few] = special[rng.integers(len(special), size=int(few.sum()))]
    with np.errstate(all="ignore"):
        want = reference.max_pool2d(x, kernel, **options).astype(np.float32) + np.float32(0)
    for isa, layout in itertools.product(ISAS, LAYOUTS):
        got = run(pyconv.max_pool2d, x, kernel, layout=layout, max_isa=isa, shape=want.shape, **options)
        assert_same_bits(got, want, f"max {isa} {layout} {pool}")
    del options["dilation"]
    options |= {"count_include_pad": include_pad, "divisor_override": divisor if divisor > 1 else None}
    results = []
    with np.errstate(all="ignore"):
        want = reference.avg_pool2d(x, kernel, **options)
    for isa, layout in itertools.product(ISAS, LAYOUTS):
        got = run(pyconv.avg_pool2d, x, kernel, layout=layout, max_isa=isa, shape=want.shape, **options)
        results.append(np.ascontiguousarray(got))
        assert_same_bits(results[-1], results[0], f"avg {isa} {layout} {pool} {options}")
    finite = np.isfinite(want)
    assert np.array_equal(np.isnan(want), np.isnan(results[0]))
    assert np.allclose(results[0][finite], want[finite], rtol=1e-4, atol=1e-4)


def test_threads_change_nothing():
    x = reals(np.random.default_rng(0), (2, 48, 120, 120))
    for layout in LAYOUTS:
        array = np.ascontiguousarray(x if layout == "nchw" else x.transpose(0, 2, 3, 1))
        for function, args in (
            (pyconv.max_pool2d, (3,)),
            (pyconv.avg_pool2d, (2,)),
            (pyconv.global_avg_pool2d, ()),
            (pyconv.global_max_pool2d, ()),
        ):
            one, four = (function(array, *args, layout=layout, threads=t) for t in (1, 4))
            assert_same_bits(one, four, function.__name__)


def test_against_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    for kernel, stride, padding, size in itertools.product((2, 3, 4), (1, 2, 3), (0, 1), (7, 10)):
        for ceil_mode, include_pad in itertools.product((False, True), repeat=2):
            x = reals(rng, (2, 5, size, size + 3))
            options = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
            want = torch.nn.functional.max_pool2d(torch.from_numpy(x), kernel, **options).numpy()
            assert np.array_equal(pyconv.max_pool2d(x, kernel, **options), want)
            options["count_include_pad"] = include_pad
            want = torch.nn.functional.avg_pool2d(torch.from_numpy(x), kernel, **options).numpy()
            np.testing.assert_allclose(pyconv.avg_pool2d(x, kernel, **options), want, 1e-5, 1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"kernel_size": 3, "padding": 2}, "padding: expected at most half of kernel_size 3, got 2"),
        ({"kernel_size": 9}, "kernel_size: a window of height 9 .* does not fit an input of 8"),
        ({"kernel_size": 0}, "kernel_size: expected a size of 1 or more, got 0"),
        ({"kernel_size": 2, "stride": 0}, "stride: expected a size of 1 or more, got 0"),
        ({"kernel_size": 2, "stride": -1}, "stride: expected a size of 1 or more, got -1"),
        ({"kernel_size": 2, "dilation": 2**62}, "dilation: expected a size of at most 2\\^40"),
        ({"kernel_size": (2, 2, 2)}, "kernel_size: expected an int or a pair of ints, got 3 values"),
        ({"kernel_size": 2, "layout": "chwn"}, "layout: expected 'nchw' or 'nhwc'"),
        ({"kernel_size": 2, "kernel": "nothing"}, "kernel: expected a pooling row"),
        ({"kernel_size": 2, "out": np.zeros((1, 2, 4, 3), np.float32)}, "out: expected shape"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(ValueError, match=message):
        pyconv.max_pool2d(np.zeros((1, 2, 8, 8), np.float32), **options)


def test_empty_images_are_refused_and_empty_batches_are_not():
    with pytest.raises(ValueError, match="x height: expected a size of 1 or more, got 0"):
        pyconv.global_avg_pool2d(np.zeros((1, 2, 0, 8), np.float32))
    with pytest.raises(ValueError, match="x width: expected a size of 1 or more, got 0"):
        pyconv.max_pool2d(np.zeros((1, 2, 8, 0), np.float32), 2)
    assert pyconv.max_pool2d(np.zeros((0, 2, 8, 8), np.float32), 2).shape == (0, 2, 4, 4)
    assert pyconv.global_max_pool2d(np.zeros((3, 0, 8, 8), np.float32)).shape == (3, 0, 1, 1)
    with pytest.raises(ValueError, match="divisor_override: expected None or an int other than 0"):
        pyconv.avg_pool2d(np.zeros((1, 1, 2, 2), np.float32), 2, divisor_override=0)
    with pytest.raises(TypeError, match="x: expected dtype float32"):
        pyconv.avg_pool2d(np.zeros((1, 1, 2, 2)), 2)
