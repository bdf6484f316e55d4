"""reference.py and support/ say what torch and rational arithmetic say."""

from __future__ import annotations

import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import reference
from support.arrays import assert_same_bits, bits, guarded
from support.fma32 import conv2d_exact, fma32, round_fraction

CONVS = [
    # n, g, ic, oc, ih, iw, kh, kw, stride, padding, dilation
    (2, 1, 3, 5, 7, 9, 3, 3, 1, 1, 1),
    (1, 2, 4, 6, 8, 5, 3, 2, (2, 1), (0, 2), (1, 2)),
    (1, 4, 4, 8, 6, 6, 1, 5, 3, (1, 3), 1),
    (0, 1, 2, 3, 5, 5, 3, 3, 1, 0, 1),
]


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def close(got, want):
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-12, atol=1e-12)


def tensors(torch, *arrays):
    return [torch.from_numpy(a) for a in arrays]


@pytest.mark.parametrize("case", CONVS)
def test_conv2d_is_torch(case, rng):
    torch = pytest.importorskip("torch")
    n, g, ic, oc, ih, iw, kh, kw, stride, padding, dilation = case
    x, b = rng.standard_normal((n, ic, ih, iw)), rng.standard_normal(oc)
    w = rng.standard_normal((oc, ic // g, kh, kw))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": g}
    got = reference.conv2d(x, w, b, **options)
    close(got, torch.nn.functional.conv2d(*tensors(torch, x, w, b), **options))
    extra = (1, 0) if stride == (2, 1) else 0
    got = reference.conv_transpose2d(got, w, b[:1].repeat(ic), output_padding=extra, **options)
    y = reference.conv2d(x, w, b, **options)
    want = torch.nn.functional.conv_transpose2d(
        *tensors(torch, y, w, b[:1].repeat(ic)), output_padding=extra, **options
    )
    close(got, want)


def test_conv2d_pads_four_sides(rng):
    x, w = rng.standard_normal((1, 2, 4, 5)), rng.standard_normal((3, 2, 3, 3))
    want = reference.conv2d(reference.pad(x, (1, 0, 2, 3)), w)
    np.testing.assert_array_equal(reference.conv2d(x, w, padding=(1, 0, 2, 3)), want)


def test_depthwise_and_separable(rng):
    x, column, row = rng.standard_normal((1, 3, 6, 7)), rng.standard_normal((3, 3)), np.ones((3, 2))
    two = reference.depthwise_conv2d(
        reference.depthwise_conv2d(x, column[:, None, :, None]), row[:, None, None, :]
    )
    np.testing.assert_allclose(reference.separable_conv2d(x, column, row), two, atol=1e-12)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    "size, kernel, stride, padding", [(7, 3, 2, 1), (6, 2, 2, 0), (5, 3, 3, 1), (8, 4, 3, 2)]
)
def test_pools_are_torch(size, kernel, stride, padding, ceil_mode, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((2, 3, size, size + 2))
    (t,) = tensors(torch, x)
    common = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    f = torch.nn.functional
    for extra in ({}, {"count_include_pad": False}, {"divisor_override": 3}):
        got = reference.avg_pool2d(x, kernel, **common, **extra)
        close(got, f.avg_pool2d(t, kernel, **common, **extra))
    x[0, 1, 2, 2] = np.nan
    for dilation in (1, 2):
        if dilation * (kernel - 1) < size + 2 * padding:
            got = reference.max_pool2d(x, kernel, dilation=dilation, **common)
            close(got, f.max_pool2d(t, kernel, dilation=dilation, **common))
    x[0, 1, 2, 2] = 0
    close(reference.global_avg_pool2d(x), f.adaptive_avg_pool2d(t, 1))
    close(reference.global_max_pool2d(x), f.adaptive_max_pool2d(t, 1))


POINTWISE = [
    ("relu", {}, "relu", {}),
    ("relu6", {}, "relu6", {}),
    ("leaky_relu", {"negative_slope": 0.2}, "leaky_relu", {"negative_slope": 0.2}),
    ("elu", {"alpha": 0.7}, "elu", {"alpha": 0.7}),
    ("sigmoid", {}, "sigmoid", {}),
    ("hard_sigmoid", {}, "hardsigmoid", {}),
    ("silu", {}, "silu", {}),
    ("hard_swish", {}, "hardswish", {}),
    ("tanh", {}, "tanh", {}),
    ("gelu", {}, "gelu", {}),
    ("gelu", {"approximate": "tanh"}, "gelu", {"approximate": "tanh"}),
    ("softmax", {}, "softmax", {"dim": 1}),
    ("log_softmax", {}, "log_softmax", {"dim": 1}),
    ("lrn", {"size": 5}, "local_response_norm", {"size": 5}),
    ("lrn", {"size": 4, "alpha": 0.1, "k": 2.0}, "local_response_norm",
     {"size": 4, "alpha": 0.1, "k": 2.0}),
]  # fmt: skip


@pytest.mark.parametrize("name, options, theirs, their_options", POINTWISE)
def test_activations_are_torch(name, options, theirs, their_options, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((2, 7, 3, 4)) * 4
    x[0, 0, 0, :3] = (0.0, 40.0, -40.0)
    got = getattr(reference, name)(x, **options)
    close(got, getattr(torch.nn.functional, theirs)(torch.from_numpy(x), **their_options))


def test_channel_ops_are_torch(rng):
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    x, w, b, m = rng.standard_normal((2, 5, 3, 4)), *rng.standard_normal((3, 5))
    v = rng.random(5) + 0.1
    close(reference.batch_norm(x, m, v, w, b), f.batch_norm(*tensors(torch, x, m, v, w, b), eps=1e-5))
    close(reference.prelu(x, w), f.prelu(*tensors(torch, x, w)))
    y, w, b = rng.standard_normal((2, 3, 6)), rng.standard_normal((4, 6)), rng.standard_normal(4)
    close(reference.linear(y, w, b), f.linear(*tensors(torch, y, w, b)))


@pytest.mark.parametrize("size", [(3, 5), (7, 14), (1, 1), (20, 2)])
def test_resize_is_torch(size, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((1, 2, 7, 5))
    f, (t,) = torch.nn.functional.interpolate, tensors(torch, x)
    close(reference.resize(x, size), f(t, size))
    for align in (False, True):
        got = reference.resize(x, size, mode="bilinear", align_corners=align)
        close(got, f(t, size, mode="bilinear", align_corners=align))


def edgy_floats(rng, count):
    """Bit patterns of every exponent, and values whose sums fall on halfway cases."""
    values = rng.integers(0, 2**32, count, dtype=np.uint32).view(np.float32)
    values = np.where(np.isfinite(values), values, np.float32(1.5))
    short = np.ldexp(rng.integers(-7, 8, count).astype(np.float32), rng.integers(-149, 100, count))
    near = np.float32(1) + rng.integers(-4, 5, count) * np.float32(2**-24)
    return np.choose(rng.integers(0, 3, count), [values, short, near]).astype(np.float32)


def test_fma32_rounds_once(rng):
    a, b, c = (edgy_floats(rng, 6000) for _ in range(3))
    tie = np.float32(2.0**-12) * np.float32(1 + 2.0**-23)
    a[:4], b[:4] = tie, np.float32(2.0**-12)
    c[:4] = (1.0, 1.0 + 2.0**-23, -1.0, 2.0**30)
    with np.errstate(all="ignore"):
        got = fma32(a, b, c)
    want = [Fraction(float(p)) * Fraction(float(q)) + Fraction(float(r)) for p, q, r in zip(a, b, c)]
    want = np.array([round_fraction(value) for value in want], np.float32)
    nonzero = want != 0  # the sign of a zero has rules of its own
    assert_same_bits(got[nonzero], want[nonzero])
    assert not got[~nonzero].any()


def test_fma32_special_values():
    inf, nan = np.float32(np.inf), np.float32(np.nan)
    a = np.array([inf, 0, inf, nan, 1, -0.0, 3e38, -0.0], np.float32)
    b = np.array([0, inf, 2, 1, 1, 1, 10, 1], np.float32)
    c = np.array([1, 1, -inf, 1, inf, 0, -inf, -0.0], np.float32)
    assert_same_bits(fma32(a, b, c), np.array([nan, nan, nan, nan, inf, 0, -inf, -0.0], np.float32))


@pytest.mark.parametrize("case", CONVS)
def test_exact_chain_is_conv2d(case, rng):
    n, g, ic, oc, ih, iw, kh, kw, stride, padding, dilation = case
    x = rng.integers(-3, 4, (n, ic, ih, iw)).astype(np.float32)
    w = rng.integers(-3, 4, (oc, ic // g, kh, kw)).astype(np.float32)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": g}
    got = conv2d_exact(x, w, **options)
    assert got.dtype == np.float32
    assert_same_bits(got, (reference.conv2d(x, w, **options) + 0.0).astype(np.float32))


def test_bits_tell_zeros_apart_and_not_nans():
    quiet = np.array([0x7FC00001, 0xFFC00000], np.uint32).view(np.float32)
    assert bits(quiet)[0] == bits(quiet)[1]
    assert bits(np.float32([-0.0]))[0] != bits(np.float32([0.0]))[0]


@pytest.mark.parametrize("where", ["begin", "end"])
def test_guarded_touches_its_page(where):
    for count in (0, 1, 5, 1024, 1025):
        array = np.arange(count, dtype=np.float32).reshape(1, -1)
        copy = guarded(array, where)
        np.testing.assert_array_equal(copy, array)
        assert copy.flags.c_contiguous and copy.flags.writeable
        if count:
            edge = copy.ctypes.data + (copy.nbytes if where == "end" else 0)
            assert edge % 4096 == 0


@pytest.mark.parametrize("where", ["begin", "end"])
def test_guard_page_ends_the_process(where):
    code = (
        "import ctypes, numpy as np; from support.arrays import guarded\n"
        f"a = guarded(np.ones(7, np.float32), {where!r}); print(a.sum(), flush=True)\n"
        f"ctypes.string_at(a.ctypes.data + ({'-1' if where == 'begin' else 'a.nbytes'}), 1)"
    )
    here = Path(__file__).parent
    run = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True)
    assert run.stdout == "7.0\n" and run.returncode == -signal.SIGSEGV
