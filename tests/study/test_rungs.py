"""Every rung below C++ computes the convolution of reference.py."""

import numpy as np
import pytest

import reference

rungs = pytest.importorskip("pyconv.study.rungs")
RUNGS = pytest.mark.parametrize("rung", rungs.RUNGS, ids=lambda rung: rung.name)
SHAPES = [  # n, ic, ih, iw, oc, kernel, stride, padding
    (1, 1, 3, 3, 1, (3, 3), 1, 0),
    (2, 3, 5, 7, 4, (3, 2), 1, 1),
    (1, 2, 9, 6, 65, (3, 3), 2, 1),
    (1, 5, 6, 11, 70, (1, 1), 3, 0),
]


def nhwc(y):
    return np.transpose(y, (0, 2, 3, 1))


@RUNGS
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rung_is_the_reference(rung, shape):
    n, ic, ih, iw, oc, kernel, stride, padding = shape
    rng = np.random.default_rng(7)
    x = rng.integers(-4, 5, (n, ic, ih, iw)).astype(np.float32)
    weight = rng.integers(-4, 5, (oc, ic, *kernel)).astype(np.float32)
    y = rung.run(np.ascontiguousarray(nhwc(x)), weight, stride, padding)
    assert y.dtype == np.float32
    want = nhwc(reference.conv2d(x, weight, stride=stride, padding=padding))
    np.testing.assert_array_equal(y, want)  # small integers: every order of summation is exact


@RUNGS
def test_rung_refuses_what_does_not_fit(rung):
    x, weight = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    with pytest.raises(ValueError, match="same ic"):
        rung.run(x, weight[:, :1])
    with pytest.raises(ValueError, match="larger than"):
        rung.run(x[:, :2, :2], weight)
    with pytest.raises(ValueError, match="stride >= 1"):
        rung.run(x, weight, 0)


def test_names_differ_and_every_rung_says_why():
    assert len({rung.name for rung in rungs.RUNGS}) == len(rungs.RUNGS)
    assert all(rung.why.endswith(".") for rung in rungs.RUNGS)
