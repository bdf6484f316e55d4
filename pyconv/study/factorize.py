"""Taking convolutions apart: which cheaper convolutions do the same, or nearly.

Weights are in torch's order, (oc, ic / groups, kh, kw). `spatially_separable`, `low_rank` and
`depthwise_separable` work in float64 by the singular value decomposition, so what they return is the
nearest of its kind in the Frobenius norm (Eckart and Young, Psychometrika 1, 1936), and say how far away
that is: `error` is the norm of the difference over the norm of the weights. `factorize` does the same by
any of `METHODS`, at a rank or within a tolerance, as a chain of convolutions that can run; `options` lists
what each rank would cost and miss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyconv.study.factorize_methods import METHODS as METHODS
from pyconv.study.factorize_methods import Method, stacked
from pyconv.study.factors import Factors, Geometry, Shape, Stage, composed, macs

Array = NDArray[np.float64]
Cost = Callable[[Sequence[Shape]], float]
"""What the stages of a chain cost."""
_ROUNDING = 1e-12
"""What float64 leaves of an error that is none."""


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


def low_rank(weight: ArrayLike, *, tolerance: float = 1e-6, rank: int | None = None) -> LowRank:
    """Two passes, down and then across, of the least rank whose error is within `tolerance`, or of `rank`.

    The (ic * kh) x (kw * oc) unfolding of the weights is cut off after its largest singular values
    (Jaderberg, Vedaldi, Zisserman, arXiv:1405.3866, scheme 2).
    """
    dense = _weight(weight, 4)
    oc, ic, kh, kw = dense.shape
    u, s, vt = np.linalg.svd(dense.transpose(1, 2, 3, 0).reshape(ic * kh, kw * oc), full_matrices=False)
    # missing[r]: norm of what rank r leaves out.
    missing = np.sqrt(np.append(np.cumsum((s**2)[::-1])[::-1], 0.0))
    if rank is None:
        rank = max(1, int(np.argmax(missing <= tolerance * missing[0])))
    elif not 1 <= rank <= len(s):
        raise ValueError(f"rank: expected 1 to {len(s)} for weights {dense.shape}, got {rank}")
    scale = np.sqrt(s[:rank])
    first = (u[:, :rank] * scale).T.reshape(rank, ic, kh, 1)
    second = (vt[:rank].T * scale).reshape(kw, oc, rank).transpose(1, 2, 0)[:, :, None, :]
    rebuilt = np.einsum("rchx,orxw->ochw", first, second)
    return LowRank(first, np.ascontiguousarray(second), _error(dense, rebuilt))


def depthwise_separable(weight: ArrayLike, *, multiplier: int = 1) -> DepthwiseSeparable:
    """The nearest depthwise convolution followed by a pointwise one.

    For each input channel the kernels of all output channels become combinations of `multiplier` kernels,
    so of one and the same where that is 1; `depthwise` is (ic * multiplier, 1, kh, kw).
    """
    dense = _weight(weight, 4)
    oc, ic, kh, kw = dense.shape
    most = min(oc, kh * kw)
    if not 1 <= multiplier <= most:
        raise ValueError(f"multiplier: expected 1 to {most} for weights {dense.shape}, got {multiplier}")
    depthwise, pointwise = METHODS["depthwise"].fit(dense, (multiplier,))
    rebuilt = composed((depthwise, pointwise))
    return DepthwiseSeparable(depthwise.weight, pointwise.weight, _error(dense, rebuilt))


@dataclass(frozen=True)
class Option:
    """What a rank costs and misses. ``error`` is relative; by CP it is what a short search found. ``cost`` is in
    whatever was to be saved."""

    method: str
    rank: tuple[int, ...]
    parameters: int
    macs: int
    error: float
    cost: float


def factorize(
    weight: ArrayLike,
    method: str,
    *,
    rank: int | Sequence[int] | None = None,
    tolerance: float | None = None,
    energy: float | None = None,
    groups: int = 1,
    layer: Geometry | None = None,
    cost: Cost | None = None,
) -> Factors:
    """A layer's weights as a chain of cheaper convolutions.

    Args:
        weight: (oc, ic / groups, kh, kw). With groups, each group is taken apart at the same rank.
        method: one of `METHODS`: "spatial", "tucker2", "cp" or "depthwise".
        rank: for "tucker2" two, of outputs and inputs; else one.
        tolerance: the cheapest rank whose relative error is no larger.
        energy: the same as a share of the squared norm that is kept: 1 - tolerance^2.
        groups: of the layer.
        layer: its sizes, by which "cheapest" counts MACs; without, it counts parameters.
        cost: or what the stages of a chain cost by some other measure.

    Raises ValueError where the weights are not of that kind, or no rank is near enough.

    >>> kernel = np.multiply.outer([3.0, 4, 5], [1.0, 2, 3]).reshape(1, 1, 3, 3)
    >>> found = factorize(kernel, "spatial", tolerance=1e-9)
    >>> found.rank, found.parameters, found.stages[0].weight.shape
    ((1,), 6, (1, 1, 3, 1))
    """
    blocks = _blocks(weight, groups)
    chosen = _method(method)
    chosen.check(blocks.shape[1:])
    if sum(x is not None for x in (rank, tolerance, energy)) != 1:
        raise ValueError("rank, tolerance, energy: expected one of them")
    if rank is not None:
        return _fitted(blocks, chosen, _rank(chosen, blocks, rank))
    if energy is not None:
        if not 0 <= energy <= 1:
            raise ValueError(f"energy: expected a share from 0 to 1, got {energy}")
        tolerance = float(np.sqrt(1.0 - energy))
    return _within(blocks, chosen, _tolerance(tolerance), layer, cost)


def options(
    weight: ArrayLike,
    method: str,
    *,
    groups: int = 1,
    layer: Geometry | None = None,
    cost: Cost | None = None,
) -> list[Option]:
    """The ranks worth considering, cheapest first: each misses less than all that are cheaper.

    >>> found = options(np.random.default_rng(0).normal(size=(8, 4, 3, 3)), "spatial")
    >>> len(found), found[0].rank, found[-1].error < 1e-12
    (12, (1,), True)
    """
    blocks, chosen = _blocks(weight, groups), _method(method)
    chosen.check(blocks.shape[1:])
    return _options(blocks, chosen, layer, cost)


class Structure(NamedTuple):
    """What weights have of themselves. ``rank_one`` of the ``kernels`` are a column times a row; ``energy``
    is the share of the squared norm that the least rank of each method keeps."""

    kernels: int
    rank_one: int
    energy: dict[str, float]


def structure(weight: ArrayLike, *, groups: int = 1, tolerance: float = 1e-6) -> Structure:
    """Looks for kernels that are separable as they are, within `tolerance` of their norm.

    >>> found = structure([[[[3, 6, 9], [4, 8, 12], [5, 10, 15]], [[0, 1, 0], [1, 1, 1], [0, 1, 0]]]])
    >>> found.kernels, found.rank_one
    (2, 1)
    """
    blocks = _blocks(weight, groups)
    kernels = blocks.reshape(-1, *blocks.shape[-2:])
    s = np.linalg.svd(kernels, compute_uv=False)
    left = np.sqrt((s[:, 1:] ** 2).sum(axis=1))
    alone = int((left <= _tolerance(tolerance) * np.linalg.norm(s, axis=1)).sum())
    energy = {}
    for name, method in METHODS.items():
        if method.refusal(blocks.shape[1:]) is None:
            least = method.ranks(blocks.shape[1:])[0]
            energy[name] = 1.0 - _missing(blocks, method, [least])[0] ** 2
    return Structure(len(kernels), alone, energy)


def _options(blocks: Array, method: Method, layer: Geometry | None, cost: Cost | None) -> list[Option]:
    ranks = method.ranks(blocks.shape[1:])
    made = []
    for rank, error in zip(ranks, _missing(blocks, method, ranks)):
        stages = stacked(method.shapes(blocks.shape[1:], rank), len(blocks))
        parameters = sum(stage.parameters for stage in stages)
        spent = parameters if layer is None else macs(stages, layer)
        made.append(Option(method.name, rank, parameters, spent, error, cost(stages) if cost else spent))
    found: list[Option] = []
    for option in sorted(made, key=lambda o: (o.cost, o.error, o.rank)):
        if not found or option.error < found[-1].error:
            found.append(option)
    return found


def _missing(blocks: Array, method: Method, ranks: Sequence[tuple[int, ...]]) -> list[float]:
    """The relative error of each rank, over all groups."""
    norm = float(np.linalg.norm(blocks)) or 1.0
    squares = np.zeros(len(ranks))
    for block in blocks:
        squares += np.square(method.missing(block, ranks))
    return [float(error) for error in np.sqrt(squares) / norm]


def _within(
    blocks: Array, method: Method, tolerance: float, layer: Geometry | None, cost: Cost | None
) -> Factors:
    found = None
    for option in _options(blocks, method, layer, cost):
        if option.error <= tolerance + _ROUNDING or method.rough:
            found = _fitted(blocks, method, option.rank)
            if found.error <= tolerance + _ROUNDING:
                return found
    best = f", the best found is {found.error:.3g}" if found else ""
    raise ValueError(f"tolerance: no rank of {method.name} comes within {tolerance:g}{best}")


def _fitted(blocks: Array, method: Method, rank: tuple[int, ...]) -> Factors:
    parts = [method.fit(block, rank) for block in blocks]
    stages = tuple(
        Stage(np.concatenate([p[i].weight for p in parts]), len(parts) * one.groups, one.rows, one.columns)
        for i, one in enumerate(parts[0])
    )
    whole = blocks.reshape(-1, *blocks.shape[2:])
    return Factors(method.name, rank, stages, _error(whole, composed(stages, len(blocks))))


def shapes(
    method: str, dims: Sequence[int], rank: int | Sequence[int], *, groups: int = 1
) -> tuple[Shape, ...]:
    """The stages of weights of shape `dims`, (oc, ic / groups, kh, kw), without any weights.

    >>> [s.parameters for s in shapes("depthwise", (64, 32, 3, 3), 1)]
    [288, 2048]
    """
    oc, icg, kh, kw = dims
    chosen, block = _method(method), (oc // groups, icg, kh, kw)
    chosen.check(block)
    wanted = (int(rank),) if isinstance(rank, int | np.integer) else tuple(map(int, rank))
    return stacked(chosen.shapes(block, wanted), groups)


def _method(name: str) -> Method:
    if name not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {name!r}")
    return METHODS[name]


def _rank(method: Method, blocks: Array, rank: int | Sequence[int]) -> tuple[int, ...]:
    wanted = (rank,) if isinstance(rank, int | np.integer) else tuple(rank)
    most = method.most(blocks.shape[1:])
    if len(wanted) != len(most) or not all(
        isinstance(r, int | np.integer) and 1 <= r <= limit for r, limit in zip(wanted, most)
    ):
        limits = " and ".join(f"1 to {limit}" for limit in most)
        raise ValueError(f"rank: expected {limits} for {method.name} of these weights, got {rank}")
    return tuple(int(r) for r in wanted)


def _tolerance(value: float | None) -> float:
    if value is None or not value >= 0:
        raise ValueError(f"tolerance: expected 0 or more, got {value}")
    return float(value)


def _blocks(weight: ArrayLike, groups: int) -> Array:
    """(groups, oc / groups, ic / groups, kh, kw)."""
    dense = _weight(weight, 4)
    if groups < 1 or len(dense) % groups:
        raise ValueError(f"groups: expected a divisor of {len(dense)} output channels, got {groups}")
    if not np.isfinite(dense).all():
        raise ValueError("weight: expected finite numbers, got NaN or infinity")
    return dense.reshape(groups, -1, *dense.shape[1:])


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
