"""How results are compared, and what is raised where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

U = 2.0**-24
"""Unit roundoff of float32."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class Broken(Exception):
    """A promise that was not kept; the text says by what."""


def bits(array: Any) -> NDArray[np.uint32]:
    """The bits as uint32, any NaN as one and the same."""
    floats = np.ascontiguousarray(array, np.float32)
    view = floats.view(np.uint32).copy()
    view[np.isnan(floats)] = 0x7FC00000
    return np.asarray(view)


def same_bits(got: Floats, want: Floats, what: str) -> None:
    """Raises Broken where a bit differs. -0 is not +0; any NaN is any other."""
    if got.shape != want.shape:
        raise Broken(f"{what}: shape {got.shape}, expected {want.shape}")
    if np.array_equal(got.view(np.uint32), want.view(np.uint32)):  # most of the time
        return
    differ = np.argwhere(bits(got) != bits(want))
    if len(differ):
        at = tuple(int(i) for i in differ[0])
        raise Broken(
            f"{what}: {len(differ)} of {got.size} differ in bits, first at {at}: got {got[at]!r}, "
            f"expected {want[at]!r}"
        )


def within(got: Floats, want: Doubles, bound: Doubles, what: str) -> float:
    """Raises Broken where |got - want| is beyond the bound; the largest part of it that was used up."""
    if got.shape != want.shape:
        raise Broken(f"{what}: shape {got.shape}, expected {want.shape}")
    error = np.abs(got - want)
    if not (error <= bound).all():
        at = tuple(int(i) for i in np.argwhere(~(error <= bound))[0])
        raise Broken(
            f"{what}: error {error[at]:.4g} beyond the bound {bound[at]:.4g} at {at}: got {got[at]!r}, "
            f"expected {want[at]!r}"
        )
    positive = bound > 0
    return float((error[positive] / bound[positive]).max(initial=0.0))
