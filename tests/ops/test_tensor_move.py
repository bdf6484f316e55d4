"""Operators of the graph that move elements: against numpy, on every type, between unmapped pages."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.graph import both, fold, run

DTYPES = (np.float32, np.int64, np.uint8)


def numbered(shape, dtype=np.float32):
    return np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_transpose_of_four_axes(dtype):
    x = numbered((3, 4, 5, 6), dtype)
    for axes in itertools.permutations(range(4)):
        np.testing.assert_array_equal(both("transpose", x, axes=list(axes)), x.transpose(axes))
    np.testing.assert_array_equal(fold("transpose", x), x.T)


@pytest.mark.parametrize(
    "shape, axes",
    [((70, 300), (1, 0)), ((2, 33, 65), (0, 2, 1)), ((33, 2, 65), (2, 1, 0)), ((2, 3, 40, 50, 2), (0, 3, 1, 2, 4)),
     ((2, 4, 3, 3, 5, 5), (0, 1, 4, 2, 5, 3)), ((1, 70, 1, 30), (3, 2, 1, 0)), ((0, 4), (1, 0)), ((), ())],
    ids=str,
)  # fmt: skip
def test_transposes_in_tiles(shape, axes):
    x = numbered(shape)
    np.testing.assert_array_equal(run("transpose", x, axes=list(axes), options={"threads": 2}), x.transpose(axes))


@st.composite
def slices(draw):
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1))
    bound = st.one_of(st.integers(-10, 10), st.sampled_from([2**63 - 1, -(2**63), 2**31 - 1]))
    steps = st.sampled_from([1, 2, 3, -1, -2, 10, -10, 2**62, -(2**63)])
    return tuple(shape), [(axis, draw(bound), draw(bound), draw(steps)) for axis in axes]


@settings(max_examples=300, deadline=None)
@given(case=slices())
def test_slices_as_onnx(case):
    shape, cuts = case
    x = numbered(shape)
    key = [slice(None)] * len(shape)
    for axis, start, end, step in cuts:
        # ONNX: a start before the front is the first element, also where the step is negative
        key[axis] = slice(max(start, -shape[axis]), end, step)
    axes, starts, ends, steps = (list(v) for v in zip(*cuts))
    got = fold("slice", x, axes=axes, starts=starts, ends=ends, steps=steps)
    np.testing.assert_array_equal(got, x[tuple(key)])


def test_slices_between_unmapped_pages():
    x = numbered((4, 5, 6), np.int64)
    got = both("slice", x, axes=[2, 0], starts=[-1, 3], ends=[-7, 0], steps=[-2, -1])
    np.testing.assert_array_equal(got, x[3:0:-1, :, -1:-7:-2])
    np.testing.assert_array_equal(both("slice", x, starts=[1], ends=[3]), x[1:3])


@pytest.mark.parametrize("dtype", DTYPES)
def test_expand_and_tile(dtype):
    x = numbered((3, 1, 4), dtype)
    np.testing.assert_array_equal(both("expand", x, shape=[2, 1, 5, 1]), np.broadcast_to(x, (2, 3, 5, 4)))
    np.testing.assert_array_equal(both("tile", x, repeats=[2, 3, 2]), np.tile(x, (2, 3, 2)))
    np.testing.assert_array_equal(both("tile", x, repeats=[1, 0, 1]), np.tile(x, (1, 0, 1)))


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_pads_as_numpy(mode, dtype):
    x = numbered((2, 3, 5), dtype)
    for pads in ([(0, 0), (1, 2), (3, 4)], [(1, 0), (0, 0), (0, 0)], [(0, 0), (5, 7), (11, 13)], [(0, 0)] * 3):
        flat = [b for b, _ in pads] + [a for _, a in pads]
        options = {"constant_values": 7} if mode == "constant" else {}
        got = both("pad", x, pads=flat, mode=mode, value=7.0)
        np.testing.assert_array_equal(got, np.pad(x, pads, mode=mode, **options), f"{mode} {pads}")


def test_negative_pads_crop():
    x = numbered((4, 6))
    np.testing.assert_array_equal(both("pad", x, pads=[-1, 2, 0, -3], value=9.0),
                                  np.pad(x[1:, :3], [(0, 0), (2, 0)], constant_values=9))  # fmt: skip
    np.testing.assert_array_equal(both("pad", x, pads=[0, -2, 0, 1], mode="edge"),
                                  np.pad(x[:, 2:], [(0, 0), (0, 1)], mode="edge"))  # fmt: skip


@pytest.mark.parametrize("indices", [np.int64, np.int32])
def test_gather(indices):
    x = numbered((4, 5, 6))
    i = np.array([[0, -1], [3, 2]], indices)
    for axis in (-1, 0, 1):
        np.testing.assert_array_equal(both("gather", x, i, axis=axis), np.take(x, i, axis))
    np.testing.assert_array_equal(both("gather", x, np.array(2, indices), axis=0), x[2])
    wild = np.array([4, 2**31 - 1, -(2**31), -5], indices)
    np.testing.assert_array_equal(run("gather", x, wild, axis=0), np.zeros((4, 5, 6), np.float32))


def test_bad_moves():
    x = numbered((2, 3))
    for op, attributes, message in [
        ("transpose", {"axes": [0, 0]}, "axes: expected each axis once"),
        ("transpose", {"axes": [0]}, "axes: expected all 2 axes"),
        ("transpose", {"axes": [0, 2]}, "axes: expected an axis of a tensor of 2 dimensions, got 2"),
        ("slice", {"starts": [0], "ends": [1, 2]}, "expected as many of each"),
        ("slice", {"starts": [0], "ends": [1], "steps": [0]}, "steps: expected steps other than 0"),
        ("expand", {"shape": [3, 3]}, "expected shapes that broadcast together"),
        ("expand", {"shape": [-1, 3]}, "expected a size of 0 or more"),
        ("expand", {"shape": [2**39, 2**39, 2, 3]}, r"more than 2\^58 elements"),
        ("tile", {"repeats": [1]}, "repeats: expected 2 integers"),
        ("tile", {"repeats": [2**62, 2**62]}, "repeats: expected"),
        ("tile", {"repeats": [-1, 1]}, "repeats: expected numbers of 0 or more, got -1"),
        ("pad", {"pads": [0, 0, -3, 0]}, "pads: expected to take away at most 2 elements"),
        ("pad", {"pads": [0, 2**62, 0, 0]}, r"pads: expected sizes of at most 2\^40"),
        ("pad", {"pads": [0, 0, 0, 0], "mode": "mirror"}, "mode: expected constant, reflect, edge or wrap"),
    ]:
        with pytest.raises(ValueError, match=message):
            fold(op, x, **attributes)
    with pytest.raises(ValueError, match="indices: expected indices of an axis of 2, got 2"):
        fold("gather", x, np.array([2]))
    with pytest.raises(ValueError, match="indices: expected int64 or int32, got float32"):
        fold("gather", x, x)
    with pytest.raises(ValueError, match="pads: expected none for an empty axis"):
        fold("pad", np.zeros((0, 2), np.float32), pads=[1, 0, 0, 0], mode="edge")
