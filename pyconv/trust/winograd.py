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
# Of stride 2, by the edge of the output tile; without infinity.
PHASE_POINTS = {2: (Fraction(1),), 4: (Fraction(3, 4), Fraction(5, 2))}
TILES = {f"winograd_f{m}": m for m in (2, 4, 6)}
"""The edge of the output tile of each algorithm."""
SIZES = ((2, 3, 1), (4, 3, 1), (6, 3, 1), (2, 5, 1), (4, 5, 1), (2, 3, 2), (4, 3, 2))
"""m, r and stride of every F(m x m, r x r) that there is."""


def _times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            product[i + j] += x * y
    return product


Row = list[Fraction]


def _finite(points: list[Fraction], taps: int) -> tuple[list[Row], list[Row]]:
    """The rows of B^T and G that belong to the points, by Lagrange's polynomials."""
    bt, g = [], []
    for p in points:
        others = [q for q in points if q != p]
        numerator, denominator = [Fraction(1)], Fraction(1)
        for q in others:
            numerator, denominator = _times(numerator, [-q, Fraction(1)]), denominator * (p - q)
        bt.append(numerator)
        g.append([p**k / denominator for k in range(taps)])
    return bt, g


def _doubles(*matrices: list[Row]) -> tuple[Doubles, ...]:
    return tuple(np.array([[float(v) for v in row] for row in matrix], np.float64) for matrix in matrices)


def _with_zero(pairs: tuple[Fraction, ...]) -> list[Fraction]:
    return [Fraction(0)] + [s * p for p in pairs for s in (1, -1)]


def edge(m: int, taps: int, stride: int) -> int:
    """Of the input tile, and elements of a row of it."""
    return stride * (m - 1) + taps


@cache
def matrices(m: int, taps: int, stride: int = 1) -> tuple[Doubles, ...]:
    """B^T (a, a), G (a, taps) and A^T (m, a) as float64, a = stride (m - 1) + taps."""
    if stride == 2:
        return _phases(m)
    points = _with_zero(POINTS[m + taps - 1])
    bt, g = _finite(points, taps)
    bt = [row + [Fraction(0)] for row in bt]
    numerator = [Fraction(1)]
    for q in points:
        numerator = _times(numerator, [-q, Fraction(1)])
    bt.append(numerator)
    g.append([Fraction(int(k == taps - 1)) for k in range(taps)])
    return _doubles(bt, g, [[p**k for p in points] + [Fraction(int(k == m - 1))] for k in range(m)])


def _phases(m: int) -> tuple[Doubles, ...]:
    """Three taps, stride 2: F(m, 2) of the even inputs with the outer taps, and the odd inputs times the middle one."""
    points = _with_zero(PHASE_POINTS[m])
    even, outer = _finite(points, 2)
    zero, one = Fraction(0), Fraction(1)
    bt = [[row[d // 2] if d % 2 == 0 else zero for d in range(2 * m + 1)] for row in even]
    bt += [[one if d == 2 * j + 1 else zero for d in range(2 * m + 1)] for j in range(m)]
    g = [[row[0], zero, row[1]] for row in outer] + [[zero, one, zero]] * m
    return _doubles(bt, g, [[p**k for p in points] + [Fraction(int(j == k)) for j in range(m)] for k in range(m)])


def transform(
    m: int,
    x: Any,
    weight: Any,
    padding: tuple[int, int, int, int],
    part: Part = lambda a: a,
    stride: int = 1,
) -> Doubles:
    """The convolution of x (n, c, h, w), padded (top, bottom, left, right), by F(m x m, r x r) in float64;
    part=np.abs gives the amplified magnitudes."""
    taps = weight.shape[-1]
    side, step = edge(m, taps, stride), stride * m
    bt, g, at = (part(matrix) for matrix in matrices(m, taps, stride))
    top, bottom, left, right = padding
    (n, c, h, w), oc = x.shape, weight.shape[0]
    oh, ow = (h + top + bottom - taps) // stride + 1, (w + left + right - taps) // stride + 1
    th, tw = -(-oh // m), -(-ow // m)
    high, wide = (th - 1) * step + side, (tw - 1) * step + side
    sides = ((0, 0), (0, 0), (top, max(bottom, high - h - top)), (left, max(right, wide - w - left)))
    padded = np.pad(part(np.asarray(x, np.float64)), sides)
    axes: Any = (2, 3)  # the stubs of numpy 2.2 know one axis
    tiles = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=axes)
    tiles = tiles[:, :, ::step, ::step][:, :, :th, :tw]
    v = (bt @ tiles @ bt.T).transpose(4, 5, 0, 2, 3, 1).reshape(side**2, -1, c)
    u = (g @ part(np.asarray(weight, np.float64)) @ g.T).transpose(2, 3, 1, 0).reshape(side**2, c, oc)
    products = (v @ u).reshape(side, side, n, th, tw, oc).transpose(2, 5, 3, 4, 0, 1)
    y = (at @ products @ at.T).transpose(0, 1, 2, 4, 3, 5)
    return np.asarray(y.reshape(n, oc, th * m, tw * m)[:, :, :oh, :ow])


def terms(m: int, taps: int, channels: int, stride: int = 1) -> int:
    """Roundings along the longest path to an output, the bias included."""
    return channels + (2 * (m + taps - 1) + 2 if stride == 1 else 2 * m + 7)


def scale(
    m: int, x: Any, weight: Any, bias: Any, padding: tuple[int, int, int, int], stride: int = 1
) -> Doubles:
    """What u times `terms` is multiplied by: magnitudes through the absolute transforms."""
    total = transform(m, x, weight, padding, np.abs, stride)
    if bias is None:
        return total
    return np.asarray(total + np.abs(np.asarray(bias, np.float64))[:, None, None])
