"""A convolution in float64, by which every result of the study is checked before it is timed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNIT_ROUNDOFF = 2.0**-24


def conv2d(
    x: NDArray[np.floating],
    weight: NDArray[np.floating],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> NDArray[np.float64]:
    """x (n, h, w, ic), weight (oc, ic / groups, kh, kw), padding (top, bottom, left, right);
    returns (n, oh, ow, oc). One matrix product for each tap, so nothing is unfolded."""
    (top, bottom, left, right), (sh, sw), (dh, dw) = padding, stride, dilation
    padded = np.pad(np.asarray(x, np.float64), ((0, 0), (top, bottom), (left, right), (0, 0)))
    n, height, width, ic = padded.shape
    oc, icg, kh, kw = weight.shape
    oh, ow = (height - dh * (kh - 1) - 1) // sh + 1, (width - dw * (kw - 1) - 1) // sw + 1
    taps = np.asarray(weight, np.float64).reshape(groups, oc // groups, icg, kh, kw)
    result = np.zeros((n, oh, ow, groups, oc // groups))
    for r in range(kh):
        rows = padded[:, r * dh : r * dh + (oh - 1) * sh + 1 : sh]
        for s in range(kw):
            seen = rows[:, :, s * dw : s * dw + (ow - 1) * sw + 1 : sw]
            grouped = seen.reshape(n, oh, ow, groups, icg)
            if groups == 1:
                result[..., 0, :] += grouped[..., 0, :] @ taps[0, :, :, r, s].T
            elif icg == 1:
                result += grouped * taps[:, :, 0, r, s]
            else:
                result += np.einsum("nhwgc,goc->nhwgo", grouped, taps[:, :, :, r, s])
    return result.reshape(n, oh, ow, oc)


def relative_error(got: NDArray[np.floating], expected: NDArray[np.float64]) -> float:
    """The largest absolute difference over the largest expected magnitude; inf where NaN came."""
    scale = float(np.abs(expected).max(initial=0.0))
    worst = float(np.abs(got - expected).max(initial=0.0))
    if np.isnan(worst):
        return float("inf")
    return worst / scale if scale > 0 else worst


def sum_tolerance(terms: int) -> float:
    """Relative to the sum of magnitudes: what a chain of `terms` fused multiply-adds may be off."""
    return (terms + 2) * UNIT_ROUNDOFF
