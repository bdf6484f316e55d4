"""Taking convolutions apart: which cheaper convolutions do the same, or nearly.

Weights are in torch's order, (oc, ic / groups, kh, kw). Every function works in float64 by the
singular value decomposition, so what it returns is the nearest of its kind in the Frobenius norm
(Eckart and Young, Psychometrika 1, 1936), and says how far away that is: `error` is the norm of the
difference over the norm of the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class RankOne(NamedTuple):
    """kernel ~ column row^T for each kernel: shapes (..., kh) and (..., kw)."""

    column: Array
    row: Array
    error: float


class LowRank(NamedTuple):
    """A dense convolution as two: `first` (rank, ic, kh, 1), then `second` (oc, rank, 1, kw)."""

    first: Array
    second: Array
    error: float

    @property
    def rank(self) -> int:
        return int(self.first.shape[0])


class DepthwiseSeparable(NamedTuple):
    """A dense convolution as `depthwise` (ic, 1, kh, kw), then `pointwise` (oc, ic, 1, 1)."""

    depthwise: Array
    pointwise: Array
    error: float


def spatially_separable(kernels: ArrayLike) -> RankOne:
    """Each kernel of the last two axes as a column times a row, as near as that gets.

    >>> kernel = [[3, 6, 9], [4, 8, 12], [5, 10, 15]]
    >>> column, row, error = spatially_separable(kernel)
    >>> bool(error < 1e-12), np.outer(column, row).round(6).tolist() == kernel
    (True, True)
    """
    weight = _weight(kernels, 2)
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    scale = np.sqrt(s[..., :1])
    column, row = u[..., :, 0] * scale, vt[..., 0, :] * scale
    return RankOne(column, row, _error(weight, column[..., :, None] * row[..., None, :]))


def low_rank(weight: ArrayLike, *, tolerance: float = 1e-6) -> LowRank:
    """Two passes, down and then across, of the least rank whose error is within `tolerance`.

    The (ic * kh) x (kw * oc) unfolding of the weights is cut off after its largest singular values
    (Jaderberg, Vedaldi, Zisserman, arXiv:1405.3866, scheme 2).
    """
    dense = _weight(weight, 4)
    oc, ic, kh, kw = dense.shape
    u, s, vt = np.linalg.svd(dense.transpose(1, 2, 3, 0).reshape(ic * kh, kw * oc), full_matrices=False)
    # missing[r]: norm of what rank r leaves out.
    missing = np.sqrt(np.append(np.cumsum((s**2)[::-1])[::-1], 0.0))
    rank = max(1, int(np.argmax(missing <= tolerance * missing[0])))
    scale = np.sqrt(s[:rank])
    first = (u[:, :rank] * scale).T.reshape(rank, ic, kh, 1)
    second = (vt[:rank].T * scale).reshape(kw, oc, rank).transpose(1, 2, 0)[:, :, None, :]
    rebuilt = np.einsum("rchx,orxw->ochw", first, second)
    return LowRank(first, np.ascontiguousarray(second), _error(dense, rebuilt))


def depthwise_separable(weight: ArrayLike) -> DepthwiseSeparable:
    """The nearest depthwise convolution followed by a pointwise one.

    For each input channel the kernels of all output channels become multiples of one kernel.
    """
    dense = _weight(weight, 4)
    oc, ic, kh, kw = dense.shape
    u, s, vt = np.linalg.svd(dense.transpose(1, 0, 2, 3).reshape(ic, oc, kh * kw), full_matrices=False)
    scale = np.sqrt(s[:, :1])
    depthwise = (vt[:, 0, :] * scale).reshape(ic, 1, kh, kw)
    pointwise = (u[:, :, 0] * scale).T.reshape(oc, ic, 1, 1)
    return DepthwiseSeparable(depthwise, pointwise, _error(dense, pointwise * depthwise[:, 0][None]))


def mac_ratio(kh: int, kw: int, oc: int) -> float:
    """MACs of a normal convolution over those of depthwise-separable: 1 / (1/oc + 1/(kh kw)).

    >>> round(mac_ratio(3, 3, 192), 1)
    8.6
    """
    return kh * kw * oc / (kh * kw + oc)


def _weight(weight: ArrayLike, rank: int) -> Array:
    array = np.asarray(weight, np.float64)
    if array.ndim < rank or (rank == 4 and array.ndim != 4) or 0 in array.shape:
        expected = "shape (oc, ic, kh, kw)" if rank == 4 else "at least two axes"
        raise ValueError(f"weight: expected {expected}, none empty, got {array.shape}")
    return array


def _error(weight: Array, rebuilt: Array) -> float:
    norm = float(np.linalg.norm(weight))
    return float(np.linalg.norm(weight - rebuilt)) / norm if norm > 0 else 0.0
