"""Output sizes and their explanations: the lecture's facts, and agreement with what is computed."""

from __future__ import annotations

import pickle

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import reference  # noqa: E402


def test_six_filters_of_5x5_on_32x32():
    size = pyconv.conv_output_size(32, 5)
    assert size == 28 and size.fits and str(size) == "(32 + 2*0 - 5)/1 + 1 = 28"
    y = pyconv.conv2d(np.zeros((1, 3, 32, 32), np.float32), np.zeros((6, 3, 5, 5), np.float32))
    assert y.shape == (1, 6, size, size)


def test_seven_by_seven_with_a_filter_of_three():
    assert [pyconv.conv_output_size(7, 3, stride=s) for s in (1, 2)] == [5, 3]
    size = pyconv.conv_output_size(7, 3, stride=3)
    assert not size.fits and size == 2 and size.ignored == 1
    assert str(size) == (
        "(7 + 2*0 - 3)/3 + 1 = 2.33 is not whole: a window of 3 does not fit 7 with stride 3. Rounded "
        "down it gives 2 and ignores the last pixel. Strides that fit: 1, 2, 4. Paddings that fit "
        "stride 3: 1 (3 outputs)."
    )


@pytest.mark.parametrize("kernel, padding", [(3, 1), (5, 2), (7, 3)])
def test_padding_that_keeps_the_size(kernel, padding):
    for size in (7, 32, 224):
        assert pyconv.conv_output_size(size, kernel, padding=padding) == size


def test_three_by_three_three_times_sees_seven():
    size = 7
    for _ in range(3):
        size = pyconv.conv_output_size(size, 3)
    assert size == 1


def test_a_window_that_is_too_large():
    with pytest.raises(ValueError) as error:
        pyconv.conv_output_size(5, 7)
    assert str(error.value) == (
        "kernel_size: a window of 7 does not fit an input of 5: it needs 2 more, that is an input of 7 "
        "or padding 1 on each side"
    )
    with pytest.raises(ValueError, match=r"a window of 9 \(kernel 5, dilation 2\) does not fit an input of 4"):
        pyconv.conv_output_size(4, 5, dilation=2, padding=1)


def test_no_equal_padding_fits():
    text = str(pyconv.conv_output_size(8, 3, stride=2))
    assert "ignores the last pixel" in text
    assert "No equal padding fits stride 2; 1 more on one side alone would." in text
    assert pyconv.conv_output_size(8, 3, stride=2, padding=(0, 1)).fits


def test_other_forms():
    assert str(pyconv.conv_output_size(9, 3, dilation=2, padding=(1, 0))) == (
        "(9 + 1 + 0 - (2*(3 - 1) + 1))/1 + 1 = 6"
    )
    size = pyconv.conv_output_size(112, 3, stride=2, ceil_mode=True)
    assert size == 56 and "the last window reaching 1 past the end" in str(size) and size.ignored == 0
    assert pickle.loads(pickle.dumps(size)).explanation == size.explanation
    assert f"{size:4d}" == "  56" and repr(size) == "56" and list(range(10))[pyconv.conv_output_size(3, 3)] == 1


@pytest.mark.parametrize("options", [{"stride": 0}, {"padding": -1}, {"padding": (1, 2, 3)}, {"dilation": 0}])
def test_values_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        pyconv.conv_output_size(7, 3, **options)
    with pytest.raises(TypeError, match="size: expected an int, got float"):
        pyconv.conv_output_size(7.0, 3)
    with pytest.raises(TypeError, match="stride: expected an int, got bool"):
        pyconv.conv_output_size(7, 3, stride=True)


@given(
    st.integers(1, 60), st.integers(1, 9), st.integers(1, 7), st.integers(0, 4), st.integers(0, 4),
    st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_agrees_with_the_reference(size, kernel, stride, before, after, dilation, ceil_mode):
    options = {"stride": stride, "padding": (before, after), "dilation": dilation, "ceil_mode": ceil_mode}
    if size + before + after < dilation * (kernel - 1) + 1:
        with pytest.raises(ValueError, match="does not fit"):
            pyconv.conv_output_size(size, kernel, **options)
        return
    got = pyconv.conv_output_size(size, kernel, **options)
    assert got == reference.out_size(size, kernel, stride, before, after, dilation, ceil_mode)
    seen = (got - 1) * stride + dilation * (kernel - 1) + 1
    assert got.ignored == max(0, size + before + after - seen)
    assert got.fits == (seen == size + before + after)


@given(st.integers(1, 400), st.integers(1, 30), st.integers(1, 40))
def test_what_fits_is_what_a_search_finds(size, kernel, stride):
    room = size - kernel
    if room < 0 or room % stride == 0:
        return
    strides = [s for s in range(1, room + 1) if room % s == 0]
    paddings = [p for p in range(kernel) if (size + 2 * p - kernel) % stride == 0 and size + 2 * p >= kernel]
    text = str(pyconv.conv_output_size(size, kernel, stride=stride))

    def listed(names):
        return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")

    assert f"Strides that fit: {listed([str(s) for s in strides])}." in text
    named = [f"{p} ({(size + 2 * p - kernel) // stride + 1} outputs)" for p in paddings]
    assert (f"stride {stride}: {listed(named)}." in text) == bool(named)
    assert ("No equal padding fits" in text) != bool(named)


def test_huge_sizes_are_explained_at_once():
    text = str(pyconv.conv_output_size(10**18 + 3, 10**15, stride=10**9 + 7, padding=10**14))
    assert "Strides that fit: 1" in text
    assert "No equal padding fits stride 4" in str(pyconv.conv_output_size(2**60, 3, stride=4))
