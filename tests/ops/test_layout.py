"""Transposes between layouts: every row, around its tile and in the narrow cases, between guards."""

from __future__ import annotations

import pytest

pyconv = pytest.importorskip("pyconv")

import numpy as np  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from support.arrays import guarded  # noqa: E402

ROWS = [k for k in pyconv.kernels() if k.family == "transpose"]
SIDES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 49, 70]


def payload(shape):
    """Every value its own bit pattern, some of them NaN."""
    count = int(np.prod(shape))
    return (np.arange(count, dtype=np.uint32) * np.uint32(2654435761)).view(np.float32).reshape(shape)


def check(x, where, **options):
    """x (N, C, H, W), there and back."""
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    for function, src, want in (
        (pyconv.nchw_to_nhwc, x, last),
        (pyconv.nhwc_to_nchw, last, x),
    ):
        out = guarded(np.full(want.shape, np.nan, np.float32), where)
        assert function(guarded(src, where), out=out, **options) is out
        what = f"{function.__name__} {x.shape} {options}"
        assert np.array_equal(out.view(np.uint32), want.view(np.uint32)), what


@pytest.mark.parametrize("where", ["end", "begin"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row_around_its_tile(row, where):
    if not row.available:
        pytest.skip(f"this CPU or PYCONV_MAX_ISA does not allow {row.isa}")
    for channels in SIDES:
        for pixels in SIDES:
            check(payload((1, channels, 1, pixels)), where, kernel=row.name)


@given(
    st.integers(0, 3), st.integers(1, 400), st.integers(1, 40), st.integers(1, 12), st.integers(1, 3)
)  # fmt: skip
def test_blocks_and_threads(images, channels, height, width, threads):
    for isa in {row.isa for row in ROWS if row.available}:
        check(payload((images, channels, height, width)), "end", max_isa=isa, threads=threads)


def test_many_of_both():
    check(payload((1, 300, 65, 37)), "end")


def test_empty():
    for shape in ((0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5)):
        check(np.zeros(shape, np.float32), "end")


def test_errors_name_the_argument():
    x = np.zeros((1, 2, 3, 4), np.float32)
    with pytest.raises(ValueError, match=r"x: expected shape \(N, C, H, W\), got \(3,\)"):
        pyconv.nchw_to_nhwc(np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="x: expected dtype float32"):
        pyconv.nhwc_to_nchw(np.zeros((1, 2, 3, 4)))
    with pytest.raises(ValueError, match="out: expected shape"):
        pyconv.nchw_to_nhwc(x, out=np.zeros((1, 2, 3, 4), np.float32))
    with pytest.raises(ValueError, match="kernel: expected a transpose row"):
        pyconv.nchw_to_nhwc(x, kernel="gemm_f32_4x4_scalar")
