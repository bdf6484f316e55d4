"""Grouped convolution: groups of every size, the channel multiplier, non-finite weights."""

from __future__ import annotations

from itertools import product

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402

from support import conv as run  # noqa: E402
from support.arrays import assert_same_bits, reals  # noqa: E402
from support.problems import Conv, seeded  # noqa: E402


def grouped(g, icg, ocg, **sizes):
    return Conv(g=g, ic=g * icg, oc=g * ocg, **sizes)


def check(conv, arrays, **options):
    options["accuracy"] = "exact"
    want = run.run_plan(conv, *arrays, algorithm="reference", **options)
    accepted = 0
    for isa in run.ISAS:
        if "grouped" not in run.accepting(conv, max_isa=isa):
            continue
        accepted += 1
        for where in ("begin", "end"):
            got = run.run_plan(conv, *arrays, where=where, algorithm="grouped", max_isa=isa, **options)
            assert_same_bits(got, want, f"{isa} on {run.problem(conv)}")
    assert accepted


@pytest.mark.parametrize("icg, ocg", [(1, 1), (1, 2), (1, 5), (2, 2), (3, 4), (4, 4), (4, 1), (8, 8), (7, 3)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_group_sizes(icg, ocg, stride):
    for i, g in enumerate((1, 2, 3, 5, 8, 11, 32)):
        for kernel in ((3, 3), (1, 1), (2, 5)):
            conv = grouped(g, icg, ocg, mb=1 + i % 2, ih=6 + i, iw=15 + i, kh=kernel[0], kw=kernel[1],
                           stride=(stride, stride), padding=(1, 2, i % 3, 1))  # fmt: skip
            check(conv, conv.arrays(seeded(conv), reals))


@pytest.mark.parametrize("dilation", [2, 3])
def test_dilations(dilation):
    for g, stride in product((3, 8), (1, 2)):
        conv = grouped(g, 4, 4, ih=17, iw=19, kh=3, kw=3, padding=(2, 2, 3, 2),
                       stride=(stride, stride), dilation=(dilation, dilation))  # fmt: skip
        check(conv, conv.arrays(seeded(conv), reals))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_padding_meets_weights_that_are_not_finite(value):
    for g, stride, kernel in product((2, 9), (1, 2), (3, 4)):
        conv = grouped(g, 2, 3, ih=8, iw=15, kh=kernel, kw=kernel, padding=(1, 1, 1, 1),
                       stride=(stride, stride))  # fmt: skip
        x, weight, bias = conv.arrays(seeded(conv), reals)
        weight[-1, -1, 0, kernel - 1] = value
        check(conv, (x, weight, bias))


def test_many_blocks_and_activation():
    for g, icg, ocg in ((96, 4, 4), (50, 8, 8), (200, 1, 3), (300, 1, 1)):
        conv = grouped(g, icg, ocg, ih=5, iw=16, kh=3, kw=3, padding=(1, 1, 1, 1))
        check(conv, conv.arrays(seeded(conv), reals), activation="relu6")
        check(conv, conv.arrays(seeded(conv), reals), activation="silu")


def test_threads_give_the_same_bits():
    conv = grouped(32, 4, 4, mb=2, ih=31, iw=30, kh=3, kw=3, padding=(1, 1, 1, 1))
    arrays = conv.arrays(seeded(conv), reals)
    want = run.run_plan(conv, *arrays, algorithm="grouped", threads=1)
    assert_same_bits(run.run_plan(conv, *arrays, algorithm="grouped", threads=4), want)


def test_refusals():
    x, weight = np.ones((1, 34, 5, 5), np.float32), np.ones((34, 17, 3, 3), np.float32)
    with pytest.raises(ValueError, match="groups of 17 to 17 channels; it takes at most"):
        pyconv.conv2d(x, weight, groups=2, algorithm="grouped")
