"""Depthwise convolution: strides, dilations, tails, non-finite weights, against the reference."""

from __future__ import annotations

from itertools import product

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402

PADDING = [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 3)]


def depthwise(channels, **sizes):
    return Conv(g=channels, ic=channels, oc=channels, **sizes)


def check(conv, arrays, algorithm="depthwise", **options):
    want = run.run_plan(conv, *arrays, algorithm="reference", accuracy="exact", **options)
    for isa in run.ISAS:
        for where in ("begin", "end"):
            got = run.run_plan(conv, *arrays, where=where, algorithm=algorithm, max_isa=isa,
                               accuracy="exact", **options)  # fmt: skip
            assert_same_bits(got, want, f"{isa} on {run.problem(conv)}")


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 5), (7, 7), (2, 4), (9, 1), (1, 11), (4, 6)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (1, 3), (4, 1)])
def test_shapes_and_strides(kernel, stride):
    for i, (padding, channels) in enumerate(product(PADDING, (1, 7, 16, 21, 40))):
        conv = depthwise(channels, mb=1 + i % 2, ih=9 + i % 3, iw=13 + i, kh=kernel[0],
                         kw=kernel[1], stride=stride, padding=padding)  # fmt: skip
        check(conv, conv.arrays(seeded(conv), reals))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_borders_of_half_the_filter(kernel, stride):
    """Images of one, two and three tiles, and a little more: tiles with padding on either side."""
    half = kernel // 2
    for width, channels in product((4, 7, 8, 14, 15, 20, 28), (16, 24)):
        conv = depthwise(channels, ih=width, iw=width, kh=kernel, kw=kernel,
                         padding=(half, half, half, half), stride=(stride, stride))  # fmt: skip
        check(conv, conv.arrays(seeded(conv), reals), activation="relu6" if width % 2 else None)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [2, 3, 4, 6])
def test_dilations(stride, dilation):
    for kernel, channels in product((2, 3, 5), (4, 33)):
        conv = depthwise(channels, ih=27, iw=25, kh=kernel, kw=kernel, padding=(5, 2, 3, 4),
                         stride=(stride, stride), dilation=(dilation, dilation))  # fmt: skip
        check(conv, conv.arrays(seeded(conv), reals))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_padding_meets_weights_that_are_not_finite(value):
    for channels, kernel, stride in product((5, 19), (3, 4, 5), (1, 2)):
        conv = depthwise(channels, ih=8, iw=9, kh=kernel, kw=kernel, padding=(2, 1, 1, 2),
                         stride=(stride, stride))  # fmt: skip
        x, weight, bias = conv.arrays(seeded(conv), reals)
        weight[channels // 2, 0, 0, kernel - 1] = value
        check(conv, (x, weight, bias))


def test_channels_beyond_one_chunk():
    for channels in (127, 129, 143, 145, 300):
        conv = depthwise(channels, ih=5, iw=9, kh=3, kw=3, padding=(1, 1, 1, 1))
        check(conv, conv.arrays(seeded(conv), reals))


def test_threads_and_batch_give_the_same_bits():
    conv = depthwise(48, mb=3, ih=31, iw=30, kh=3, kw=3, padding=(1, 1, 1, 1))
    arrays = conv.arrays(seeded(conv), reals)
    want = run.run_plan(conv, *arrays, algorithm="depthwise", threads=1)
    assert_same_bits(run.run_plan(conv, *arrays, algorithm="depthwise", threads=4), want)


def test_refusals():
    x, weight = np.ones((1, 4, 5, 5), np.float32), np.ones((4, 2, 3, 3), np.float32)
    with pytest.raises(ValueError, match="one channel per group"):
        pyconv.conv2d(x, weight, groups=2, algorithm="depthwise")


def test_depthwise_conv2d_takes_both_forms_of_weight():
    rng = np.random.default_rng(3)
    x, weight, bias = reals(rng, (2, 6, 9, 8)), reals(rng, (12, 1, 3, 2)), reals(rng, (12,))
    options = {"stride": (1, 2), "padding": 1}
    want = pyconv.conv2d(x, weight, bias, groups=6, **options)
    assert_same_bits(pyconv.depthwise_conv2d(x, weight, bias, **options), want)
    assert_same_bits(pyconv.depthwise_conv2d(x, weight[:, 0], bias, **options), want)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    got = pyconv.depthwise_conv2d(last, weight, bias, layout="nhwc", **options)
    assert_same_bits(got.transpose(0, 3, 1, 2), want)


@pytest.mark.parametrize("shape", [(6, 2, 3, 3), (7, 1, 3, 3), (6, 3), (7, 3, 3)])
def test_depthwise_conv2d_names_a_wrong_weight(shape):
    with pytest.raises(ValueError, match=r"weight: expected shape \(C \* m, 1, kH, kW\).*got"):
        pyconv.depthwise_conv2d(np.ones((1, 6, 5, 5), np.float32), np.ones(shape, np.float32))
