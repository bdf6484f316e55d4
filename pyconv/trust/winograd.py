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

# The positive points by the edge of the input tile; their negatives, 0 and infinity complete them.
POINTS = {
    4: (Fraction(1),),
    6: (Fraction(5, 8), Fraction(7, 4)),
    8: (Fraction(1, 2), Fraction(1), Fraction(2)),
}
TILES = {f"winograd_f{m}": m for m in (2, 4, 6)}
"""The edge of the output tile of each algorithm."""
SIZES = ((2, 3), (4, 3), (6, 3), (2, 5), (4, 5))
"""m and r of every F(m x m, r x r) that there is."""


def _times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] += x * y
    return product


@cache
def matrices(m: int, taps: int) -> tuple[Doubles, Doubles, Doubles]:
    """B^T (a, a), G (a, taps) and A^T (m, a) as float64, a = m + taps - 1."""
    points = [Fraction(0)] + [s * p for p in POINTS[m + taps - 1] for s in (1, -1)]
    bt, g = [], []
    for p in points:
        others = [q for q in points if q != p]
        numerator, denominator = [Fraction(1)], Fraction(1)
        for q in others:
            numerator, denominator = _times(numerator, [-q, Fraction(1)]), denominator * (p - q)
        bt.append(numerator + [Fraction(0)])
        g.append([p**k / denominator for k in range(taps)])
    numerator = [Fraction(1)]
    for q in points:
        numerator = _times(numerator, [-q, Fraction(1)])
    bt.append(numerator)
    g.append([Fraction(int(k == taps - 1)) for k in range(taps)])
    at = [[p**k for p in points] + [Fraction(int(k == m - 1))] for k in range(m)]
    first, second, third = (
        np.array([[float(v) for v in row] for row in matrix], np.float64) for matrix in (bt, g, at)
    )
    return first, second, third


def transform(
    m: int, x: Any, weight: Any, padding: tuple[int, int, int, int], part: Part = lambda a: a
) -> Doubles:
    """The convolution of x (n, c, h, w), padded (top, bottom, left, right), by F(m x m, r x r) in float64;
    part=np.abs gives the amplified magnitudes."""
    taps = weight.shape[-1]
    edge = m + taps - 1
    bt, g, at = (part(matrix) for matrix in matrices(m, taps))
    top, bottom, left, right = padding
    (n, c, h, w), oc = x.shape, weight.shape[0]
    oh, ow = h + top + bottom - taps + 1, w + left + right - taps + 1
    th, tw = -(-oh // m), -(-ow // m)
    sides = ((0, 0), (0, 0), (top, bottom + th * m - oh), (left, right + tw * m - ow))
    padded = np.pad(part(np.asarray(x, np.float64)), sides)
    axes: Any = (2, 3)  # the stubs of numpy 2.2 know one axis
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (edge, edge), axis=axes)
    tiles = tiles[:, :, ::m, ::m][:, :, :th, :tw]
    v = (bt @ tiles @ bt.T).transpose(4, 5, 0, 2, 3, 1).reshape(edge**2, -1, c)
    u = (g @ part(np.asarray(weight, np.float64)) @ g.T).transpose(2, 3, 1, 0).reshape(edge**2, c, oc)
    products = (v @ u).reshape(edge, edge, n, th, tw, oc).transpose(2, 5, 3, 4, 0, 1)
    y = (at @ products @ at.T).transpose(0, 1, 2, 4, 3, 5)
    return np.asarray(y.reshape(n, oc, th * m, tw * m)[:, :, :oh, :ow])


def terms(m: int, taps: int, channels: int) -> int:
    """Roundings along the longest path to an output, the bias included."""
    return channels + 2 * (m + taps - 1) + 2


def scale(m: int, x: Any, weight: Any, bias: Any, padding: tuple[int, int, int, int]) -> Doubles:
    """What u times `terms` is multiplied by: magnitudes through the absolute transforms."""
    total = transform(m, x, weight, padding, np.abs)
    if bias is None:
        return total
    return np.asarray(total + np.abs(np.asarray(bias, np.float64))[:, None, None])
