"""Transposed convolution: against the scatter of the reference, and bit for bit against the gather
loop that its contract states."""

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

ROWS = [k for k in pyconv.kernels() if k.family == "gemm"]
ISAS = sorted({k.isa for k in ROWS if k.available})
LAYOUTS = ("nchw", "nhwc")


def gather(x, weight, bias, *, stride, padding, output_padding, dilation, groups):
    """One chain per output over the taps of its phase in stored order, in float32."""
    n, ic, ih, iw = x.shape
    _, ocg, kh, kw = weight.shape
    (sh, sw), (dh, dw), (eh, ew) = stride, dilation, output_padding
    top, bottom, left, right = padding
    oh = (ih - 1) * sh - top - bottom + dh * (kh - 1) + eh + 1
    ow = (iw - 1) * sw - left - right + dw * (kw - 1) + ew + 1
    src = x.reshape(n, groups, ic // groups, ih, iw)
    w = weight.reshape(groups, ic // groups, ocg, kh, kw)
    dst = np.zeros((n, groups, ocg, oh, ow), np.float32)
    dst += (np.zeros(groups * ocg, np.float32) if bias is None else bias).reshape(1, groups, ocg, 1, 1)
    for y, z in itertools.product(range(oh), range(ow)):
        acc = dst[..., y, z]
        for r, s in itertools.product(range(kh), range(kw)):
            (iy, off_y), (ix, off_x) = divmod(y + top - r * dh, sh), divmod(z + left - s * dw, sw)
            if off_y or off_x:
                continue
            inside = 0 <= iy < ih and 0 <= ix < iw
            for c in range(ic // groups):
                value = src[:, :, c, iy, ix] if inside else np.zeros((n, groups), np.float32)
                acc = fma32(value[..., None], w[None, :, c, :, r, s], acc)
        dst[..., y, z] = acc + np.float32(0)
    return dst.reshape(n, groups * ocg, oh, ow)


def run(x, weight, bias, shape, *, layout="nchw", where="end", planned=False, **options):
    """The result in NCHW; operands touch a guard page and the output starts as NaN."""
    n, c, h, w = shape
    given_x = guarded(np.ascontiguousarray(x if layout == "nchw" else x.transpose(0, 2, 3, 1)), where)
    out = guarded(nan_like((n, c, h, w) if layout == "nchw" else (n, h, w, c)), where)
    weight, bias = guarded(weight, where), None if bias is None else guarded(bias, where)
    if planned:
        plan = pyconv.ConvTranspose2dPlan(x.shape, weight, bias, layout=layout, **options)
        got = plan(given_x, out=out)
    else:
        got = pyconv.conv_transpose2d(given_x, weight, bias, layout=layout, out=out, **options)
    assert got is out
    return got if layout == "nchw" else got.transpose(0, 3, 1, 2)


@st.composite
def problems(draw, channels=20):
    kernel, stride = (draw(st.tuples(st.integers(1, 5), st.integers(1, 5))) for _ in "ks")
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (2, 3)]))
    most = [max(s, d) - 1 for s, d in zip(stride, dilation)]
    extra = tuple(draw(st.integers(0, m)) for m in most)
    size = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    sides = []
    for i, s, k, d, e in zip(size, stride, kernel, dilation, extra):
        full = (i - 1) * s + d * (k - 1) + e + 1
        before = draw(st.integers(0, min(3, full - 1)))
        sides += [before, draw(st.integers(0, min(3, full - 1 - before)))]
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    icg, ocg = draw(st.integers(1, channels)), draw(st.integers(1, channels))
    shape = (draw(st.integers(0, 2)), groups * icg, *size)
    options = {"stride": stride, "padding": tuple(sides), "dilation": dilation}
    options |= {"output_padding": extra, "groups": groups}
    return shape, (groups * icg, ocg, *kernel), options


def arrays(problem, fill):
    shape, weight_shape, options = problem
    rng = np.random.default_rng(abs(hash(str(problem))) % 2**32)
    return fill(rng, shape), fill(rng, weight_shape), fill(rng, (weight_shape[1] * options["groups"],))


@given(problems(), st.booleans(), st.sampled_from(["end", "begin"]), st.integers(1, 3))
def test_small_integers_are_exact(problem, biased, where, threads):
    x, weight, bias = arrays(problem, integers)
    bias = bias if biased else None
    want = reference.conv_transpose2d(x, weight, bias, **problem[2]) + 0.0
    for layout, planned in itertools.product(LAYOUTS, (False, True)):
        got = run(x, weight, bias, want.shape, layout=layout, where=where, planned=planned,
                  threads=threads, **problem[2])  # fmt: skip
        assert_same_bits(got, want.astype(np.float32), f"{layout} planned={planned} {problem}")


@given(problems(), st.sampled_from(["end", "begin"]))
def test_random_reals_are_bounded(problem, where):
    x, weight, bias = arrays(problem, reals)
    want = reference.conv_transpose2d(x, weight, bias, **problem[2])
    scale = reference.conv_transpose2d(np.abs(x), np.abs(weight), np.abs(bias), **problem[2])
    terms = int(np.prod(weight.shape[2:])) * x.shape[1]
    for isa in ISAS:
        got = run(x, weight, bias, want.shape, where=where, max_isa=isa, **problem[2])
        assert_bounded(got, want, scale, terms, f"{isa} {problem}")


@given(problems(channels=6), st.integers(1, 3))
def test_one_result_everywhere(problem, threads):
    x, weight, bias = arrays(problem, reals)
    special = np.float32([0.0, -0.0, np.inf, np.nan, 1e-40])
    for i, array in enumerate((x, weight, bias)):
        if array.size:
            array.ravel()[(7 * i) % array.size] = special[(array.size + i) % len(special)]
    with np.errstate(all="ignore"):
        want = gather(x, weight, bias, **problem[2])
    for isa, layout, accuracy in itertools.product(ISAS, LAYOUTS, ("fast", "exact")):
        got = run(x, weight, bias, want.shape, layout=layout, max_isa=isa, accuracy=accuracy,
                  threads=threads, **problem[2])  # fmt: skip
        assert_same_bits(got, want, f"{isa} {layout} {accuracy} {problem}")


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row, where):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    height, width = row.tile
    for i, (w, oc) in enumerate(
        itertools.product({1, height - 1, height, height + 1, 2 * height + 3}, {width, width + 5, 2 * width + 1})
    ):
        rng = np.random.default_rng(i)
        options = {"stride": (1 + i % 2, 2), "padding": (0, 1, 1, 0), "output_padding": (0, i % 2)}
        x, weight = integers(rng, (1, 3 + i % 6, 2, w + 1)), integers(rng, (3 + i % 6, oc, 3, 3))
        want = reference.conv_transpose2d(x, weight, **options) + 0.0
        got = run(x, weight, None, want.shape, layout="nhwc", where=where, kernel=row.name,
                  max_isa=row.isa, **options)  # fmt: skip
        assert_same_bits(got, want.astype(np.float32), f"{row.name} w{w} oc{oc}")


def test_many_taps_and_channels_go_in_blocks():
    rng = np.random.default_rng(0)
    x, weight = integers(rng, (1, 700, 6, 80), 2), integers(rng, (700, 33, 9, 9), 1)
    options = {"stride": 2, "padding": 3}
    want = reference.conv_transpose2d(x, weight, **options) + 0.0
    got = run(x, weight, None, want.shape, **options)
    assert_same_bits(got, want.astype(np.float32), "blocks")


@pytest.mark.parametrize("activation", ["relu", "relu6", "silu"])
def test_activation_is_the_separate_one(activation):
    rng = np.random.default_rng(3)
    x, weight = reals(rng, (2, 5, 4, 9)), reals(rng, (5, 7, 3, 3))
    for layout in LAYOUTS:
        given_x = np.ascontiguousarray(x if layout == "nchw" else x.transpose(0, 2, 3, 1))
        plain = pyconv.conv_transpose2d(given_x, weight, stride=2, layout=layout)
        fused = pyconv.conv_transpose2d(given_x, weight, stride=2, layout=layout, activation=activation)
        assert_same_bits(fused, getattr(pyconv, activation)(plain), f"{activation} {layout}")


def test_against_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    x, weight, bias = reals(rng, (2, 6, 5, 7)), reals(rng, (6, 4, 4, 3)), reals(rng, (8,))
    for stride, padding, extra, dilation in itertools.product((1, 2, 3), (0, 1), (0, 1), (1, 2)):
        if extra >= max(stride, dilation):
            continue
        options = {"stride": stride, "padding": padding, "output_padding": extra}
        options |= {"dilation": dilation, "groups": 2}
        want = torch.nn.functional.conv_transpose2d(*map(torch.from_numpy, (x, weight, bias)), **options)
        got = pyconv.conv_transpose2d(x, weight, bias, **options)
        np.testing.assert_allclose(got, want.numpy(), 1e-3, 1e-3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"output_padding": 2, "stride": 2}, "output_padding: expected less than stride 2 .* got 2"),
        ({"padding": 5}, r"padding: leaves an output height of \(4 - 1\)\*1 - 10 .* = -4"),
        ({"stride": 0}, "stride: expected a size of 1 or more, got 0"),
        ({"groups": 3}, "groups: expected a divisor of in_channels=2, got 3"),
        ({"groups": 0}, "groups: expected 1 or more, got 0"),
        ({"padding": (1, 2, 3)}, "padding: expected an int, a pair or"),
        ({"kernel": "nothing"}, "kernel: kernel 'nothing' is no gemm row"),
        ({"accuracy": "some"}, "accuracy: expected 'fast' or 'exact'"),
        ({"bias": np.zeros(2, np.float32)}, r"bias: expected shape \(5,\), got \(2,\)"),
        ({"stride": 2**39}, "output: more than 2\\^58 elements"),
    ],
)
def test_errors_name_the_argument(options, message):
    x, weight = np.zeros((1, 2, 4, 4), np.float32), np.zeros((2, 5, 3, 3), np.float32)
    with pytest.raises(ValueError, match=message):
        pyconv.conv_transpose2d(x, weight, **options)


def test_weight_and_input_must_agree():
    x = np.zeros((1, 2, 4, 4), np.float32)
    with pytest.raises(ValueError, match=r"weight: expected shape \(2, 5, 3, 3\) for 2 input channels"):
        pyconv.conv_transpose2d(x, np.zeros((3, 5, 3, 3), np.float32))
    with pytest.raises(ValueError, match="x height: expected a size of 1 or more, got 0"):
        pyconv.conv_transpose2d(x[:, :, :0], np.zeros((2, 5, 3, 3), np.float32))
    plan = pyconv.ConvTranspose2dPlan(x.shape, np.zeros((2, 5, 3, 3), np.float32))
    with pytest.raises(ValueError, match=r"x: expected shape \(1, 2, 4, 4\), got \(2, 2, 4, 4\)"):
        plan(np.zeros((2, 2, 4, 4), np.float32))
    empty = pyconv.conv_transpose2d(x[:0], np.zeros((2, 5, 3, 3), np.float32))
    assert empty.shape == (0, 5, 6, 6)
