"""Softmax and batch norm: meaning, order of summation, special numbers, one set of bits."""

from __future__ import annotations

import numpy as np
import pytest

import pyconv
import reference
from support.arrays import U, assert_same_bits, guarded, integers, nan_like, reals
from support.fma32 import fma32

ISAS = sorted({k.isa for k in pyconv.kernels() if k.available and k.family == "softmax"})
LENGTHS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100, 1000]
BOTH = {"softmax": pyconv.softmax, "log_softmax": pyconv.log_softmax}

each_isa = pytest.mark.parametrize("isa", ISAS)
both = pytest.mark.parametrize("name", BOTH)


def softmax_error_bound(name, x, axis):
    """Roundings of x - m enter the exponential as they are; sums of 16 chains; a few ulps of exp, of
    the reciprocal and of log."""
    x = np.asarray(x, np.float64)
    far = np.abs(x - x.max(axis=axis, keepdims=True))
    terms = x.shape[axis] / 16 + 12
    if name == "softmax":
        return U * (far + far.max(axis=axis, keepdims=True) + terms) * reference.softmax(x, axis) + 2.0**-149
    return U * (2 * far + 2 * np.log(x.shape[axis]) + terms)


@both
@each_isa
@pytest.mark.parametrize("length", LENGTHS)
def test_error_is_bounded_on_every_axis(name, isa, length):
    rng = np.random.default_rng(length)
    for shape, axis in [((3, length), 1), ((length, 5), 0), ((2, length, 70), 1), ((2, length, 3, 1), -3)]:
        x = reals(rng, shape)
        got = BOTH[name](x, axis, max_isa=isa)
        error = np.abs(got - getattr(reference, name)(x, axis))
        assert (error <= softmax_error_bound(name, x, axis)).all(), (shape, error.max())


@both
@pytest.mark.parametrize("length", LENGTHS)
def test_same_bits_wherever_the_axis_stands(name, length):
    x = reals(np.random.default_rng(length), (5, length))
    want = BOTH[name](x, 1)
    for isa in ISAS:
        assert_same_bits(BOTH[name](x, -1, max_isa=isa), want, f"{isa} rows")
        columns = BOTH[name](np.ascontiguousarray(x.T), 0, max_isa=isa)
        assert_same_bits(np.ascontiguousarray(columns.T), want, f"{isa} columns")
        wide = np.repeat(x[:, :, None], 67, axis=2)
        assert_same_bits(BOTH[name](wide, 1, max_isa=isa)[:, :, 66], want, f"{isa} wide")


@each_isa
def test_equal_numbers_are_exact(isa):
    for length in (1, 2, 4, 64, 1024):
        x = np.full((2, length), 3.0, np.float32)
        assert (pyconv.softmax(x, max_isa=isa) == 1.0 / length).all()


@both
@each_isa
def test_guarded_and_in_place(name, isa):
    rng = np.random.default_rng(1)
    for shape, axis in [((3, 21), 1), ((3, 16), 1), ((5, 3, 21), 1), ((1, 37), 0), ((2, 3, 64), 1)]:
        for where in ("begin", "end"):
            x, y = guarded(reals(rng, shape), where), guarded(nan_like(shape), where)
            want = BOTH[name](x.copy(), axis, max_isa=isa)
            assert BOTH[name](x, axis, out=y, max_isa=isa) is y
            assert_same_bits(y, want, where)
            assert_same_bits(BOTH[name](x, axis, out=x, max_isa=isa), want, "in place")


@both
def test_special_numbers(name):
    inf, nan = np.inf, np.nan
    x = np.array(
        [[0, nan, 1], [0, inf, 1], [-inf, -inf, -inf], [-inf, 0, 0], [3e38, -3e38, 0], [-200, 0, -103.5]],
        np.float32,
    )
    for isa in ISAS:
        for got in (BOTH[name](x, max_isa=isa), BOTH[name](np.ascontiguousarray(x.T), 0, max_isa=isa).T):
            assert np.isnan(got[:3]).all()
            if name == "softmax":
                assert_same_bits(np.ascontiguousarray(got[3]), np.array([0, 0.5, 0.5], np.float32))
                assert_same_bits(np.ascontiguousarray(got[4]), np.array([1, 0, 0], np.float32))
                assert got[5, 0] == 0 and got[5, 1] == 1 and got[5, 2] == np.float32(np.exp(-103.5))
            else:
                assert got[3, 0] == -inf and got[4, 0] == 0 and got[5, 0] == -200


@both
def test_nan_with_any_payload_passes(name):
    x = np.zeros((4, 40), np.float32)
    x.view(np.uint32)[:, 7] = [0x7FC00001, 0x7F800001, 0xFFFFFFFF, 0x7FC001FF]
    for isa in ISAS:
        assert np.isnan(BOTH[name](x, max_isa=isa)).all()
        assert np.isnan(BOTH[name](np.ascontiguousarray(x.T), 0, max_isa=isa)).all()


@both
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)], ids=str)
def test_empty(name, shape):
    assert BOTH[name](np.zeros(shape, np.float32)).shape == shape


@both
def test_threads_and_shapes(name):
    rng = np.random.default_rng(2)
    for shape in [(500, 257), (2, 129, 1000)]:
        x = reals(rng, shape)
        want = BOTH[name](x, threads=1)
        for threads in (2, 3):
            assert_same_bits(BOTH[name](x, threads=threads), want, str(shape))


@both
def test_bad_arguments(name):
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="^axis: expected an axis of an array of rank 2, got 2"):
        BOTH[name](x, 2)
    with pytest.raises(ValueError, match="^axis: expected an axis of an array of rank 0, got 0"):
        BOTH[name](np.ones((), np.float32), 0)
    with pytest.raises(TypeError, match="^axis: expected an int, got float"):
        BOTH[name](x, 1.0)


NORM_SHAPES = [(2, 3), (2, 3, 4, 5), (1, 5, 20, 20), (3, 70, 2, 2), (4, 300), (0, 3, 2, 2), (2, 0, 3)]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("shape", NORM_SHAPES, ids=str)
def test_batch_norm_is_one_fma(layout, shape):
    rng = np.random.default_rng(3)
    x, mean, weight, bias = reals(rng, shape), *(reals(rng, shape[1]) for _ in range(3))
    var = np.abs(reals(rng, shape[1]))
    gain = weight / np.sqrt(var.astype(np.float64) + 1e-3)
    shift = (bias - mean * gain).astype(np.float32)
    column = (1, -1) + (1,) * (len(shape) - 2)
    scale = gain.astype(np.float32).reshape(column)
    want = fma32(x, np.broadcast_to(scale, shape), np.broadcast_to(shift.reshape(column), shape))
    np.testing.assert_allclose(
        want, reference.batch_norm(x, mean, var, weight, bias, eps=1e-3), rtol=1e-4, atol=1e-4
    )
    if layout == "nhwc":
        x, want = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, want))
    for isa in ISAS:
        for where in ("begin", "end"):
            got = pyconv.batch_norm(
                guarded(x, where), mean, var, weight, bias, eps=1e-3, layout=layout, max_isa=isa
            )
            assert_same_bits(got, want, isa)
    assert_same_bits(
        pyconv.batch_norm(x, mean, var, weight, bias, eps=1e-3, layout=layout, out=x), want, "in place"
    )


def test_batch_norm_without_weight_and_bias():
    rng = np.random.default_rng(4)
    x = integers(rng, (2, 3, 4, 4))
    mean, var = integers(rng, 3), np.array([1, 4, 16], np.float32)
    got = pyconv.batch_norm(x, mean, var, eps=0.0)
    assert_same_bits(got, reference.batch_norm(x, mean, var, eps=0.0).astype(np.float32) + np.float32(0))


def test_batch_norm_bad_arguments():
    x, three, two = np.zeros((2, 3, 1, 1), np.float32), np.ones(3, np.float32), np.ones(2, np.float32)
    with pytest.raises(ValueError, match=r"^mean: expected shape \(3,\), got \(2,\)"):
        pyconv.batch_norm(x, two, three)
    with pytest.raises(ValueError, match=r"^bias: expected shape \(3,\), got \(2,\)"):
        pyconv.batch_norm(x, three, three, three, two)
    with pytest.raises(ValueError, match=r"^x: expected shape \(N, C, ...\), got \(3,\)"):
        pyconv.batch_norm(three, three, three)
    with pytest.raises(TypeError, match="^eps: expected a number, got NoneType"):
        pyconv.batch_norm(x, three, three, eps=None)
    with pytest.raises(ValueError, match="^out: expected memory of its own"):
        whole = np.zeros(9, np.float32)
        pyconv.batch_norm(whole[:3].reshape(1, 3), whole[3:6], three, out=whole[3:6].reshape(1, 3))
