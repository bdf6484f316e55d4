"""Matrices and images of any number of axes in the graph: matmul, pooling, convolution, resizing,
normalisation, quantisation; against float64 and, where it is installed, torch."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
from pyconv.graph import GraphBuilder
from support.arrays import U, assert_bounded, assert_same_bits, integers, reals
from support.fma32 import fma32
from support.graph import both, fold, run


@pytest.mark.parametrize(
    "a, b",
    [((3, 4), (4, 5)), ((1, 1), (1, 1)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (5, 4, 6)), ((2, 3, 4), (2, 4, 70)),
     ((200, 33), (33, 130)), ((0, 4), (4, 5)), ((3, 0), (0, 5)), ((2, 3, 4), (1, 4, 5)), ((4, 5), (3, 5, 2))],
    ids=str,
)  # fmt: skip
def test_matmul(a, b):
    rng = np.random.default_rng(1)
    x, y = integers(rng, a), integers(rng, b)
    np.testing.assert_array_equal(run("matmul", x, y, options={"threads": 2}), x @ y)
    x, y = reals(rng, a), reals(rng, b)
    wide = [v.astype(np.float64) for v in (x, y)]
    assert_bounded(both("matmul", x, y), wide[0] @ wide[1], np.abs(wide[0]) @ np.abs(wide[1]), a[-1])
    for dtype in (np.int64, np.int32):
        i, j = (rng.integers(-9, 9, s).astype(dtype) for s in (a, b))
        np.testing.assert_array_equal(both("matmul", i, j), i @ j)


def test_matmul_is_one_chain():
    rng = np.random.default_rng(2)
    x, y = reals(rng, (7, 19)), reals(rng, (19, 40))
    want = np.zeros((7, 40), np.float32)
    for k in range(19):
        want = fma32(np.repeat(x[:, k : k + 1], 40, 1), np.repeat(y[k : k + 1], 7, 0), want)
    for isa in ("scalar", None):
        assert_same_bits(run("matmul", x, y, options={"max_isa": isa}), want + np.float32(0))


def windows(x, kernel, stride, dilation, padding, value, ceil):
    """Every window of every output, taps last; and whether a tap lies in the image, or in its padding."""
    rank = len(kernel)
    out, index = [], []
    for i in range(rank):
        room = x.shape[2 + i] + padding[i] + padding[rank + i] - dilation[i] * (kernel[i] - 1) - 1
        count = (room + (stride[i] - 1 if ceil else 0)) // stride[i] + 1
        if ceil and (count - 1) * stride[i] >= x.shape[2 + i] + padding[i]:
            count -= 1
        out.append(count)
        index.append(np.arange(count)[:, None] * stride[i] - padding[i] + np.arange(kernel[i]) * dilation[i])
    taps = np.full((*x.shape[:2], *out, int(np.prod(kernel))), value, np.float64)
    inside = np.zeros((*out, int(np.prod(kernel))), bool)
    counted = np.zeros_like(inside)
    for o in np.ndindex(*out):
        for t, k in enumerate(np.ndindex(*kernel)):
            at = tuple(int(index[i][o[i], k[i]]) for i in range(rank))
            inside[(*o, t)] = all(0 <= at[i] < x.shape[2 + i] for i in range(rank))
            counted[(*o, t)] = all(at[i] < x.shape[2 + i] + padding[rank + i] for i in range(rank))
            if inside[(*o, t)]:
                taps[(slice(None), slice(None), *o, t)] = x[(slice(None), slice(None), *at)]
    return taps, inside, counted


POOLS = [
    ((9,), (3,), (1,), (1,), (0, 0), 0),
    ((9,), (2,), (2,), (3,), (1, 0), 1),
    ((7, 8), (3, 2), (2, 3), (1, 1), (0, 1, 1, 0), 0),
    ((7, 8), (3, 3), (2, 2), (2, 1), (1, 0, 2, 1), 1),
    ((4, 5, 6), (2, 3, 2), (1, 2, 2), (1, 1, 2), (1, 1, 0, 0, 1, 1), 1),
    ((2, 3, 2, 3), (2, 2, 1, 2), (1, 1, 1, 2), (1, 1, 1, 1), (0,) * 8, 0),
]


@pytest.mark.parametrize("size, kernel, stride, dilation, padding, ceil", POOLS, ids=str)
def test_pools_of_any_rank(size, kernel, stride, dilation, padding, ceil):
    x = reals(np.random.default_rng(3), (2, 3, *size))
    options = {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding, "ceil_mode": ceil}
    taps, inside, counted = windows(x, kernel, stride, dilation, padding, -np.inf, ceil)
    got, at = both("max_pool_nd", x, positions=1, **options)
    np.testing.assert_array_equal(got, taps.max(-1))
    assert_same_bits(x.ravel()[at], got)
    plain = both("max_pool_nd", (x * 8).astype(np.int8), **options)
    small = windows((x * 8).astype(np.int8), kernel, stride, dilation, padding, -128, ceil)[0]
    np.testing.assert_array_equal(plain, small.max(-1))
    turned = np.moveaxis(x, range(2, x.ndim), range(x.ndim - 1, 1, -1)).copy()
    _, column = fold("max_pool_nd", x, positions=1, column_major=1, **options)
    assert_same_bits(turned.ravel()[column], got)
    taps = np.where(np.isfinite(taps), taps, 0)
    scale = np.abs(taps).sum(-1)
    terms = int(np.prod(kernel))
    for include, count in ((0, inside.sum(-1)), (1, counted.sum(-1))):
        mean = both("avg_pool_nd", x, count_include_pad=include, **options)
        assert_bounded(mean, taps.sum(-1) / count, scale / count, terms + 1)
    for p in (1, 2, 3):
        want = (np.abs(taps) ** p).sum(-1) ** (1 / p)
        np.testing.assert_allclose(both("lp_pool", x, p=p, **options), want, rtol=(terms + 20) * U)


def test_pools_take_nan():
    x = np.ones((1, 1, 5), np.float32)
    x[0, 0, 2] = np.nan
    np.testing.assert_array_equal(fold("max_pool_nd", x, kernel=[2])[0, 0], [1, np.nan, np.nan, 1])


CONVS = [
    ((9,), (3,), (2,), (1,), (1, 0), 1),
    ((4, 5, 6), (2, 3, 1), (1, 2, 1), (1, 1, 1), (0, 1, 0, 1, 1, 0), 1),
    ((4, 5, 6), (2, 2, 2), (2, 1, 2), (1, 2, 2), (1, 1, 1, 1, 1, 1), 2),
    ((3, 2, 3, 2), (2, 1, 2, 2), (1, 1, 1, 1), (1, 1, 1, 1), (0, 0, 0, 0, 0, 0, 0, 1), 1),
]


def convolve(x, w, bias, stride, dilation, padding, groups):
    oc, icg = w.shape[:2]
    columns, inside, _ = windows(x, w.shape[2:], stride, dilation, padding, 0, 0)
    y = np.zeros((x.shape[0], oc, *columns.shape[2:-1]))
    for o in range(oc):
        g = o // (oc // groups)
        for c in range(icg):
            y[:, o] += columns[:, g * icg + c] @ w[o, c].reshape(-1)
    return y + bias.reshape(-1, *[1] * (x.ndim - 2))


@pytest.mark.parametrize("size, kernel, stride, dilation, padding, groups", CONVS, ids=str)
def test_convolutions_of_any_rank(size, kernel, stride, dilation, padding, groups):
    rng = np.random.default_rng(4)
    options = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    for make in (integers, reals):
        x, w, b = make(rng, (2, 4, *size)), make(rng, (6, 4 // groups, *kernel)), make(rng, (6,))
        arguments = stride, dilation, padding, groups
        want = convolve(x.astype(np.float64), w.astype(np.float64), b.astype(np.float64), *arguments)
        got = run("conv_nd", x, w, b, constants=(1, 2), **options)
        if make is integers:
            np.testing.assert_array_equal(got, want)
        else:
            scale = convolve(np.abs(x).astype(np.float64), np.abs(w), np.abs(b), *arguments)
            assert_bounded(got, want, scale, w[0].size)


@pytest.mark.parametrize("size, kernel, stride, dilation, padding, groups", CONVS, ids=str)
def test_transposed_convolutions_are_adjoint(size, kernel, stride, dilation, padding, groups):
    """<conv(x), y> = <x, conv_transpose(y)> for small integers."""
    rng = np.random.default_rng(5)
    x, w = integers(rng, (2, 4, *size)), integers(rng, (6, 4 // groups, *kernel))
    options = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    forward = run("conv_nd", x, w, constants=(1,), **options)
    y = integers(rng, forward.shape)
    reached = [(forward.shape[2 + i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1
               - padding[i] - padding[len(size) + i] for i in range(len(size))]  # fmt: skip
    extra = [size[i] - reached[i] for i in range(len(size))]
    back = run("conv_transpose_nd", y, w, constants=(1,), output_padding=extra, **options)
    assert back.shape == x.shape
    assert float((forward * y).sum(dtype=np.float64)) == float((x * back).sum(dtype=np.float64))
    bias = integers(rng, (4,))
    with_bias = fold("conv_transpose_nd", y, w, bias, output_padding=extra, **options)
    np.testing.assert_array_equal(with_bias, back + bias.reshape(-1, *[1] * len(size)))


def test_conv_transpose_of_two_axes():
    rng = np.random.default_rng(6)
    y, w, b = integers(rng, (2, 6, 4, 5)), integers(rng, (6, 2, 3, 2)), integers(rng, (4,))
    options = {"stride": [2, 3], "padding": [1, 0, 0, 1], "groups": 2, "output_padding": [1, 0]}
    flat = run("conv_transpose_nd", y, w, b, constants=(1, 2), **options)
    deep = fold("conv_transpose_nd", y[:, :, None], w[:, :, None], b, stride=[1, 2, 3], padding=[0, 1, 0, 0, 0, 1],
                groups=2, output_padding=[0, 1, 0])  # fmt: skip
    np.testing.assert_array_equal(flat, deep[:, :, 0])


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("corners", [0, 1])
def test_resize_as_torch(mode, corners):
    torch = pytest.importorskip("torch")
    x = reals(np.random.default_rng(7), (2, 3, 7, 9))
    for size in ((14, 5), (7, 20), (3, 9), (1, 1)):
        name = {"linear": "bilinear", "cubic": "bicubic"}[mode]
        want = torch.nn.functional.interpolate(torch.tensor(x), size, mode=name, align_corners=bool(corners))
        coordinates = "align_corners" if corners else "half_pixel"
        got = both("resize", x, sizes=[2, 3, *size], mode=mode, coordinates=coordinates)
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-4, atol=2e-4)


def test_nearest_resize():
    x = reals(np.random.default_rng(8), (1, 2, 4, 6))
    got = both("resize", x, sizes=[1, 2, 8, 3], mode="nearest", coordinates="asymmetric", nearest_mode="floor")
    np.testing.assert_array_equal(got, x.repeat(2, 2)[..., ::2])
    np.testing.assert_array_equal(both("resize", x, sizes=list(x.shape), mode="cubic"), x)


@pytest.mark.parametrize(
    "op, attributes",
    [
        ("resize", {"sizes": [2, 8, 12, 5], "mode": "linear"}),
        ("resize", {"sizes": [2, 8, 3, 14], "mode": "cubic", "coordinates": "align_corners"}),
        ("resize", {"sizes": [2, 8, 12, 14], "mode": "nearest", "coordinates": "asymmetric"}),
        ("resize", {"sizes": [2, 5, 6, 7], "mode": "linear"}),
        ("pad", {"pads": [0, 1, 2, 0, 1, 0, -1, 3], "mode": "edge"}),
        ("pad", {"pads": [0, 4, 0, 0, 0, 4, 0, 0], "value": 2.0}),
        ("slice", {"starts": [1, -1], "ends": [7, -9], "steps": [2, -2], "axes": [1, 3]}),
        ("slice", {"starts": [4], "ends": [8], "axes": [1]}),
        ("tile", {"repeats": [1, 2, 1, 3]}),
    ],
    ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values())),
)
def test_images_that_lie_channels_last(op, attributes):
    """After a convolution; every pixel is what it is row by row, in two threads as well."""
    x = reals(np.random.default_rng(12), (2, 8, 6, 7))
    weight = np.eye(8, dtype=np.float32).reshape(8, 8, 1, 1)
    builder = GraphBuilder()
    image = builder.node("conv", [builder.input("x", x.shape), builder.constant(weight)])
    moved = builder.node(op, [image], **attributes)
    builder.outputs([builder.node("max_pool", [moved], kernel=[1, 1])])
    model = pyconv.compile(builder, threads=2)
    (step,) = (s for s in model.describe()["steps"] if s["op"] == op)
    assert step["outputs"][0]["layout"] == "nhwc"
    np.testing.assert_allclose(model(x), fold(op, x, **attributes), rtol=1e-5, atol=1e-5)


def test_instance_norm():
    rng = np.random.default_rng(9)
    x, scale, bias = reals(rng, (2, 3, 5, 7)), reals(rng, 3), reals(rng, 3)
    wide = x.astype(np.float64)
    mean, var = wide.mean((2, 3), keepdims=True), wide.var((2, 3), keepdims=True)
    want = (wide - mean) / np.sqrt(var + 1e-3) * scale.reshape(3, 1, 1) + bias.reshape(3, 1, 1)
    np.testing.assert_allclose(both("instance_norm", x, scale, bias, eps=1e-3), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_quantisation(dtype):
    rng = np.random.default_rng(10)
    info = np.iinfo(dtype)
    x = np.concatenate([reals(rng, 300) * 20, np.arange(-9, 10) / 2, [np.inf, -np.inf, 1e30]]).astype(np.float32)
    scale, zero = np.float32([0.5]), np.array([3], dtype)
    want = np.clip(np.round(x.astype(np.float64) / 0.5) + 3, info.min, info.max).astype(dtype)
    got = both("quantize_linear", x, scale, zero)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(both("dequantize_linear", got, scale, zero), (got.astype(np.float32) - 3) * 0.5)
    assert fold("quantize_linear", np.float32([np.nan]), scale, zero) == 3
    y = reals(rng, (2, 3, 4)) * 9
    scales, zeros = np.float32([0.5, 1, 2]), np.array([1, 2, 3], dtype)
    shape = (3, 1)
    want = np.clip(np.round(y / scales.reshape(shape)) + zeros.reshape(shape), info.min, info.max)
    np.testing.assert_array_equal(both("quantize_linear", y, scales, zeros, axis=1), want.astype(dtype))


def test_bad_shapes():
    x = np.zeros((1, 2, 5), np.float32)
    for op, arrays, attributes, message in [
        ("matmul", (x, x), {}, "b: expected matrices of as many rows as a"),
        ("matmul", (x, x.astype(np.int64)), {}, "b: expected float32 as a is"),
        ("max_pool_nd", (x,), {"kernel": [9]}, "kernel_shape: a window of 9 does not fit an axis of 5"),
        ("max_pool_nd", (x,), {"kernel": [2, 2]}, "expected one of each"),
        ("avg_pool_nd", (x,), {"kernel": [2], "stride": [0]}, "strides: expected a size of 1 or more, got 0"),
        ("lp_pool", (x,), {"kernel": [2], "p": 0.0}, "p: expected a positive number"),
        ("conv_nd", (x, np.zeros((4, 3, 2), np.float32)), {}, "weight: expected one for 2 channels"),
        ("conv_transpose_nd", (x, np.zeros((2, 4, 2), np.float32)), {"groups": 3}, "groups: expected 1 to 2"),
        ("resize", (x,), {"sizes": [1, 2]}, "sizes, scales, roi: expected one"),
        ("resize", (x,), {"sizes": [1, 2, 4], "mode": "lanczos"}, "mode: expected nearest, linear or cubic"),
        ("resize", (x,), {"sizes": [1, 2, 4], "scales": [1.0, 1.0, -1.0]}, "scales: expected numbers between"),
        ("resize", (x,), {"sizes": [1, 2, 2**28]}, "sizes: expected at most"),
        ("resize", (x,), {"sizes": [1, 2, 4], "scales": [1.0, 1.0, 1e-30], "antialias": 1}, "scales: expected num"),
        ("tile", (x,), {"repeats": [1, 1, 2**30]}, "repeats: expected at most"),
        ("pad", (x,), {"pads": [0, 0, 2**30, 0, 0, 0]}, "pads: expected at most"),
        ("instance_norm", (x, x[0, 0], x[0, 0]), {}, r"scale: expected shape \(2,\)"),
        ("quantize_linear", (x, np.ones(3, np.float32)), {"axis": 1}, "scale: expected one number or shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            fold(op, *arrays, **attributes)


def test_dilated_averages_are_for_the_general_operator():
    """The quick kernels count taps that lie side by side."""
    x = reals(np.random.default_rng(11), (1, 1, 1, 5))
    with pytest.raises(ValueError, match="dilation: expected 1 for averages, got 2"):
        fold("avg_pool", x, kernel=[1, 2], dilation=[1, 2], padding=[0, 1], count_include_pad=0)
    want = np.convolve(np.pad(x[0, 0, 0], 1), [1, 0, 1], "valid") / [1, 2, 2, 2, 1]
    got = fold("avg_pool_nd", x, kernel=[1, 2], dilation=[1, 2], padding=[0, 1, 0, 1])
    np.testing.assert_allclose(got[0, 0, 0], want, rtol=1e-6)
