"""The rounding error bound of Winograd convolution, from the transforms in rational arithmetic.

Independent of csrc/: the matrices come from the Toom-Cook construction over the points (Lavin and
Gray, arXiv:1509.09308; Barabasz et al., arXiv:1803.10986), not from the kernels' formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Part = Callable[[Any], Any]

# The positive points of F(m x m, 3 x 3); their negatives, 0 and infinity complete them.
POINTS = {
    2: (Fraction(1),),
    4: (Fraction(5, 8), Fraction(7, 4)),
    6: (Fraction(1, 2), Fraction(1), Fraction(2)),
}
TILES = {f"winograd_f{m}": m for m in POINTS}


def _times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] += x * y
    return product


@cache
def matrices(m: int) -> tuple[Doubles, Doubles, Doubles]:
    """B^T (m+2, m+2), G (m+2, 3) and A^T (m, m+2) as float64."""
    points = [Fraction(0)] + [s * p for p in POINTS[m] for s in (1, -1)]
    bt, g = [], []
    for p in points:
        others = [q for q in points if q != p]
        numerator, denominator = [Fraction(1)], Fraction(1)
        for q in others:
            numerator, denominator = _times(numerator, [-q, Fraction(1)]), denominator * (p - q)
        bt.append(numerator + [Fraction(0)])
        g.append([p**k / denominator for k in range(3)])
    numerator = [Fraction(1)]
    for q in points:
        numerator = _times(numerator, [-q, Fraction(1)])
    bt.append(numerator)
    g.append([Fraction(0), Fraction(0), Fraction(1)])
    at = [[p**k for p in points] + [Fraction(int(k == m - 1))] for k in range(m)]
    first, second, third = (
        np.array([[float(v) for v in row] for row in matrix], np.float64) for matrix in (bt, g, at)
    )
    return first, second, third


def transform(
    m: int, x: Any, weight: Any, padding: tuple[int, int, int, int], part: Part = lambda a: a
) -> Doubles:
    """The convolution of x (n, c, h, w), padded (top, bottom, left, right), by F(m x m, 3 x 3) in float64;
    part=np.abs gives the amplified magnitudes."""
    bt, g, at = (part(matrix) for matrix in matrices(m))
    top, bottom, left, right = padding
    (n, c, h, w), oc = x.shape, weight.shape[0]
    oh, ow = h + top + bottom - 2, w + left + right - 2
    th, tw = -(-oh // m), -(-ow // m)
    sides = ((0, 0), (0, 0), (top, bottom + th * m - oh), (left, right + tw * m - ow))
    padded = np.pad(part(np.asarray(x, np.float64)), sides)
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (m + 2, m + 2), axis=(2, 3))
    tiles = tiles[:, :, ::m, ::m][:, :, :th, :tw]
    v = (bt @ tiles @ bt.T).transpose(4, 5, 0, 2, 3, 1).reshape((m + 2) ** 2, -1, c)
    u = (g @ part(np.asarray(weight, np.float64)) @ g.T).transpose(2, 3, 1, 0).reshape((m + 2) ** 2, c, oc)
    products = (v @ u).reshape(m + 2, m + 2, n, th, tw, oc).transpose(2, 5, 3, 4, 0, 1)
    y = (at @ products @ at.T).transpose(0, 1, 2, 4, 3, 5)
    return np.asarray(y.reshape(n, oc, th * m, tw * m)[:, :, :oh, :ow])


def terms(m: int, channels: int) -> int:
    """Roundings along the longest path to an output, the bias included."""
    return channels + 2 * m + 6


def scale(m: int, x: Any, weight: Any, bias: Any, padding: tuple[int, int, int, int]) -> Doubles:
    """What u times `terms` is multiplied by: magnitudes through the absolute transforms."""
    total = transform(m, x, weight, padding, np.abs)
    if bias is None:
        return total
    return np.asarray(total + np.abs(np.asarray(bias, np.float64))[:, None, None])
