"""concat, pad and resize: values, layouts, modes, guard pages, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyconv
import reference
from support.arrays import U, assert_same_bits, guarded, integers, nan_like, reals

ISAS = [k.isa for k in pyconv.kernels() if k.available and k.family == "resize"]


def nhwc(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


@given(st.data())
def test_concat(data):
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    arrays = []
    for size in data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)):
        shape[axis] = size
        arrays.append(guarded(reals(np.random.default_rng(size), tuple(shape))))
    got = pyconv.concat(arrays, axis)
    assert_same_bits(got, reference.concat(arrays, axis).astype(np.float32), f"{shape} {axis}")


def test_concat_of_large_arrays_and_orders():
    rng = np.random.default_rng(1)
    arrays = [reals(rng, (2, c, 300, 100)) for c in (3, 1, 5)]
    want = np.concatenate(arrays, 1)
    out = guarded(nan_like(want.shape))
    assert pyconv.concat(arrays, out=out, threads=3) is out
    assert_same_bits(out, want)
    turned = tuple(np.asfortranarray(a) for a in arrays)
    assert_same_bits(pyconv.concat(turned, 1), want)


def test_concat_bad_arguments():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="^arrays: expected at least one array, got none"):
        pyconv.concat([])
    with pytest.raises(TypeError, match="^arrays: expected a list or tuple of arrays, got numpy.ndarray"):
        pyconv.concat(x)
    with pytest.raises(TypeError, match=r"^arrays\[1\]: expected dtype float32"):
        pyconv.concat([x, x.astype(np.float64)])
    with pytest.raises(ValueError, match=r"^arrays\[1\]: expected the shape \(2, 3\) of the first but"):
        pyconv.concat([x, np.zeros((3, 3), np.float32)])
    with pytest.raises(ValueError, match="^axis: expected an axis of an array of rank 2, got 2"):
        pyconv.concat([x], 2)
    with pytest.raises(ValueError, match="^out: expected memory of its own"):
        pyconv.concat([x], out=x)


MODES = ["constant", "reflect", "replicate"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [0, 2, (1, 3), (0, 1, 2, 3), (3, 0, 0, 0), (2, 3, 3, 2)], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 4, 4), (0, 2, 4, 4), (1, 70, 5, 4)], ids=str)
def test_pad(mode, padding, shape):
    x = reals(np.random.default_rng(2), shape)
    want = reference.pad(x, padding, -1.5, mode).astype(np.float32)
    for where in ("begin", "end"):
        y = guarded(nan_like(want.shape), where)
        pyconv.pad(guarded(x, where), padding, mode=mode, value=-1.5, out=y)
        assert_same_bits(y, want, where)
        y = guarded(nan_like(nhwc(want).shape), where)
        pyconv.pad(guarded(nhwc(x), where), padding, mode=mode, value=-1.5, layout="nhwc", out=y)
        assert_same_bits(y, nhwc(want), f"nhwc {where}")


def test_pad_of_one_pixel_and_none():
    x = integers(np.random.default_rng(3), (1, 2, 1, 1))
    assert_same_bits(pyconv.pad(x, 2, mode="edge"), np.broadcast_to(x, (1, 2, 5, 5)).copy())
    assert pyconv.pad(np.zeros((1, 1, 0, 2), np.float32), 1).shape == (1, 1, 2, 4)
    assert pyconv.pad(np.zeros((1, 0, 2, 2), np.float32), 1, mode="reflect").shape == (1, 0, 4, 4)


def test_pad_with_threads():
    x = reals(np.random.default_rng(4), (3, 8, 120, 100))
    for mode in MODES:
        assert_same_bits(pyconv.pad(x, 3, mode=mode, threads=3), pyconv.pad(x, 3, mode=mode, threads=1), mode)


@pytest.mark.parametrize(
    "padding, mode, message",
    [
        (-1, "constant", "^padding: expected sizes of 0 or more, got -1"),
        ((1, 2, 3), "constant", "^padding: expected an int, a pair or .* got 3 values"),
        (4, "reflect", "^padding: expected less than the image's height 4 for mode 'reflect', got 4"),
        ((0, 5), "reflect", "^padding: expected less than the image's width 5 for mode 'reflect', got 5"),
        (1, "wrap", "^mode: expected 'constant', 'reflect', 'replicate' or 'edge', got 'wrap'"),
        (2**40, "constant", r"^padding: expected an output of at most 2\^40 elements"),
        (2**62, "constant", r"^padding: expected sizes of at most 2\^40"),
    ],
)
def test_pad_bad_arguments(padding, mode, message):
    with pytest.raises(ValueError, match=message):
        pyconv.pad(np.zeros((1, 1, 4, 5), np.float32), padding, mode=mode)


def test_pad_bad_types():
    x = np.zeros((1, 1, 4, 5), np.float32)
    with pytest.raises(ValueError, match=r"^x: expected shape \(N, C, H, W\), got \(4, 5\)"):
        pyconv.pad(x[0, 0], 1)
    with pytest.raises(TypeError, match="^padding: expected an int"):
        pyconv.pad(x, 1.5)
    with pytest.raises(TypeError, match="^value: expected a number, got str"):
        pyconv.pad(x, 1, value="0")
    with pytest.raises(ValueError, match="^padding: expected 0 for an empty image in mode 'replicate'"):
        pyconv.pad(x[:, :, :0], 1, mode="replicate")


SIZES = [(1, 1), (4, 5), (8, 10), (3, 2), (7, 13), (9, 4), (40, 33)]
IMAGES = [(2, 3, 4, 5), (1, 1, 1, 1), (1, 2, 1, 6), (1, 70, 6, 5), (1, 64, 3, 3)]


@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nearest(shape, size):
    x = reals(np.random.default_rng(5), shape)
    want = reference.resize(x, size).astype(np.float32)
    for where in ("begin", "end"):
        y = guarded(nan_like(want.shape), where)
        pyconv.resize(guarded(x, where), size, out=y)
        assert_same_bits(y, want, where)
        y = guarded(nan_like(nhwc(want).shape), where)
        pyconv.resize(guarded(nhwc(x), where), size, layout="nhwc", out=y)
        assert_same_bits(y, nhwc(want), f"nhwc {where}")


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("shape", IMAGES, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_bilinear(shape, size, align_corners):
    x = reals(np.random.default_rng(6), shape)
    options = {"mode": "bilinear", "align_corners": align_corners}
    want = reference.resize(x, size, **options)
    scale = np.abs(x).max(axis=(2, 3), keepdims=True)  # three roundings a pass, and the weight's
    first = pyconv.resize(x, size, **options)
    assert (np.abs(first - want) <= 8 * U * scale).all()
    for isa in ISAS:
        for where in ("begin", "end"):
            y = guarded(nan_like(want.shape), where)
            pyconv.resize(guarded(x, where), size, out=y, max_isa=isa, **options)
            assert_same_bits(y, first, f"{isa} {where}")
            y = guarded(nan_like(nhwc(first).shape), where)
            pyconv.resize(guarded(nhwc(x), where), size, layout="nhwc", out=y, max_isa=isa, **options)
            assert_same_bits(y, nhwc(first), f"{isa} nhwc {where}")


@pytest.mark.parametrize("factor", [1, 2, 0.5, 3, 1.5, 0.3, (2, 0.7), 2.3])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_scale_factor(factor, mode):
    x = reals(np.random.default_rng(7), (2, 3, 9, 7))
    want = reference.resize(x, scale_factor=factor, mode=mode)
    got = pyconv.resize(x, scale_factor=factor, mode=mode)
    assert got.shape == want.shape
    assert (np.abs(got - want) <= (0 if mode == "nearest" else 8 * U * np.abs(x).max())).all()


def test_same_size_is_the_same_image():
    x = reals(np.random.default_rng(8), (1, 2, 7, 9))
    assert_same_bits(pyconv.resize(x, (7, 9)), x)
    for align_corners in (False, True):
        got = pyconv.resize(x, (7, 9), mode="bilinear", align_corners=align_corners)
        assert_same_bits(got, x + np.float32(0))


def test_corners_stay():
    x = integers(np.random.default_rng(9), (1, 1, 3, 4))
    got = pyconv.resize(x, (11, 13), mode="bilinear", align_corners=True)
    assert_same_bits(got[:, :, ::10, ::12].copy(), x[:, :, ::2, ::3] + np.float32(0))


def test_resize_with_threads():
    x = reals(np.random.default_rng(10), (2, 3, 60, 70))
    for options in ({}, {"mode": "bilinear"}):
        for layout, source in (("nchw", x), ("nhwc", nhwc(x))):
            one = pyconv.resize(source, (199, 223), layout=layout, threads=1, **options)
            assert_same_bits(pyconv.resize(source, (199, 223), layout=layout, threads=3, **options), one)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "^size: expected either size or scale_factor, got neither"),
        ({"size": 2, "scale_factor": 2}, "^size: expected either size or scale_factor, got both"),
        ({"size": (2, 0)}, r"^size: expected an output of 1 pixel or more, got \(2, 0\)"),
        ({"size": (1, 2, 3)}, "^size: expected an int or a pair of ints, got 3 values"),
        ({"scale_factor": 0.1}, r"^scale_factor: expected an output of 1 pixel or more, got \(0, 0\)"),
        ({"scale_factor": -1}, "^scale_factor: expected numbers above 0, got -1"),
        ({"scale_factor": float("inf")}, "^scale_factor: expected numbers above 0, got inf"),
        ({"scale_factor": 1e12}, r"^scale_factor: expected an output of at most 2\^40 elements"),
        ({"size": 2**40}, r"^size: expected an output of at most 2\^40 elements"),
        ({"size": 2, "mode": "cubic"}, "^mode: expected 'nearest' or 'bilinear', got 'cubic'"),
        ({"size": 2, "align_corners": True}, "^align_corners: expected False for mode 'nearest'"),
    ],
)
def test_resize_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pyconv.resize(np.zeros((1, 1, 4, 5), np.float32), **arguments)


def test_resize_of_nothing():
    with pytest.raises(ValueError, match=r"^x: expected an image of 1 pixel or more, got \(0, 5\)"):
        pyconv.resize(np.zeros((1, 1, 0, 5), np.float32), 2)
    assert pyconv.resize(np.zeros((0, 3, 2, 2), np.float32), 4).shape == (0, 3, 4, 4)
    assert pyconv.resize(np.zeros((1, 0, 2, 2), np.float32), 4, mode="bilinear").shape == (1, 0, 4, 4)
