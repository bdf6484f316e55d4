"""Arrays that show errors: between guard pages, with exact sums, and how results are compared."""

from __future__ import annotations

import numpy as np

from pyconv.trust.guard import guarded

__all__ = ["U", "assert_bounded", "assert_same_bits", "bits", "guarded", "integers", "nan_like", "reals"]

U = 2.0**-24  # unit roundoff of float32


def nan_like(shape):
    """float32 NaN everywhere: what a kernel must overwrite and never read."""
    return np.full(shape, np.nan, np.float32)


def integers(rng, shape, limit=4):
    """Small integers: with sums below 2^24 every order of summation gives the same float."""
    return rng.integers(-limit, limit + 1, shape).astype(np.float32)


def reals(rng, shape):
    """Normal numbers of mixed sign and a few powers of two of spread."""
    return (rng.standard_normal(shape) * np.exp2(rng.integers(-3, 4, shape))).astype(np.float32)


def bits(array):
    """uint32 view in which all NaN are one and -0 differs from +0."""
    array = np.ascontiguousarray(array, np.float32)
    view = array.view(np.uint32).copy()
    view[np.isnan(array)] = 0x7FC00000
    return view


def assert_same_bits(got, want, what=""):
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    differ = np.argwhere(bits(got) != bits(want))
    if len(differ):
        at = tuple(int(i) for i in differ[0])
        raise AssertionError(
            f"{what}: {len(differ)} of {got.size} differ in bits, first at {at}: "
            f"got {got[at]!r}, expected {want[at]!r}"
        )


def assert_bounded(got, want, scale, terms, what=""):
    """|got - want| <= (terms + 2) u scale, plus the underflow of each term."""
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    assert np.isfinite(got).all(), f"{what}: not finite"
    bound = (terms + 2) * U * scale + (terms + 2) * 2.0**-150
    error = np.abs(got.astype(np.float64) - want)
    if (error > bound).any():
        at = np.unravel_index(np.argmax(error - bound), error.shape)
        raise AssertionError(
            f"{what}: error {error[at]:.3g} above the bound {bound[at]:.3g} at "
            f"{tuple(int(i) for i in at)}: got {got[at]!r}, expected {want[at]!r}"
        )
