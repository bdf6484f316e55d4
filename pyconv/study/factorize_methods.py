"""The ways to take the weights of one group apart, each as a chain of convolutions.

spatial     kh x 1 to R channels, then 1 x kw (Jaderberg, Vedaldi, Zisserman, arXiv:1405.3866, scheme 2): the
            truncated SVD, so no chain of this kind and rank is nearer. Of a pointwise layer it is two pointwise
            ones, of a depthwise one a column and a row for each channel.
tucker2     1 x 1 to R2 channels, kh x kw to R1, 1 x 1 (Kim, Park, Yoo, Choi, Yang, Shin, arXiv:1511.06530): the
            higher-order SVD over output and input channels, then orthogonal iteration (De Lathauwer, De Moor,
            Vandewalle, SIAM J. Matrix Anal. 21(4), 2000), which only lessens the error.
cp          1 x 1 to R, kh x 1 and 1 x kw depthwise, 1 x 1 (arXiv:1412.6553).
depthwise   kh x kw depthwise with R kernels for each channel, then 1 x 1: an SVD for each input channel, so no
            chain of this kind is nearer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyconv.study.factorize_cp import decompose
from pyconv.study.factors import Array, Shape, Stage, composed

Dims = Sequence[int]
"""(oc, ic, kh, kw) of one group."""
Rank = tuple[int, ...]

_LEVELS = 40
_ITERATIONS = 20
_CP_RANKS = 10
_ROUGH_SWEEPS = 20


class Method(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def rough(self) -> bool:
        """Whether `missing` is an estimate that `fit` may improve on or fall short of."""
        ...

    def refusal(self, dims: Dims) -> str | None:
        """Why weights of this shape can't be taken apart so; None where they can."""
        ...

    def check(self, dims: Dims) -> None: ...
    def most(self, dims: Dims) -> Rank:
        """Beyond these nothing gets nearer."""
        ...

    def ranks(self, dims: Dims) -> list[Rank]:
        """Those worth looking at, the least first."""
        ...

    def shapes(self, dims: Dims, rank: Rank) -> tuple[Shape, ...]: ...
    def missing(self, dense: Array, ranks: Sequence[Rank]) -> NDArray[np.float64]:
        """The norm of what each rank leaves out."""
        ...

    def fit(self, dense: Array, rank: Rank) -> tuple[Stage, ...]: ...


class _Base:
    name = ""
    rough = False

    def refusal(self, dims: Dims) -> str | None:
        oc, ic, kh, kw = dims
        if kh * kw == 1:
            return "the kernel is 1x1: spatial alone takes it apart"
        if oc == 1 and ic == 1:
            return "each output sees one channel: spatial alone takes such kernels apart"
        return None

    def check(self, dims: Dims) -> None:
        refusal = self.refusal(dims)
        if refusal is not None:
            raise ValueError(f"weight: {self.name} refuses {'x'.join(map(str, dims))}: {refusal}")


class Spatial(_Base):
    name = "spatial"

    def refusal(self, dims: Dims) -> str | None:
        return "there is nothing to take apart" if self.most(dims) == (1,) and min(dims[2:]) == 1 else None

    def most(self, dims: Dims) -> Rank:
        oc, ic, kh, kw = dims
        return (min(ic * kh, kw * oc),)

    def ranks(self, dims: Dims) -> list[Rank]:
        return [(r,) for r in range(1, self.most(dims)[0] + 1)]

    def shapes(self, dims: Dims, rank: Rank) -> tuple[Shape, ...]:
        oc, ic, kh, kw = dims
        first_moves = kw == 1  # then a stride is best taken before the second
        return (
            Shape(rank[0], ic, kh=kh, rows=True, columns=first_moves),
            Shape(oc, rank[0], kw=kw, columns=not first_moves),
        )

    def missing(self, dense: Array, ranks: Sequence[Rank]) -> NDArray[np.float64]:
        s = np.linalg.svd(_down_and_across(dense), compute_uv=False)
        return _tails(s)[[min(r[0], len(s)) for r in ranks]]

    def fit(self, dense: Array, rank: Rank) -> tuple[Stage, ...]:
        oc, ic, kh, kw = dense.shape
        u, s, vt = np.linalg.svd(_down_and_across(dense), full_matrices=False)
        scale = np.sqrt(s[: rank[0]])
        down = (u[:, : rank[0]] * scale).T.reshape(-1, ic, kh, 1)
        across = (vt[: rank[0]].T * scale).reshape(kw, oc, -1).transpose(1, 2, 0)[:, :, None, :]
        return _staged(self.shapes(dense.shape, rank), (down, across))


class Tucker2(_Base):
    name = "tucker2"

    def most(self, dims: Dims) -> Rank:
        oc, ic, kh, kw = dims
        return min(oc, ic * kh * kw), min(ic, oc * kh * kw)

    def ranks(self, dims: Dims) -> list[Rank]:
        out, into = self.most(dims)
        return [(a, b) for a in _levels(out) for b in _levels(into)]

    def shapes(self, dims: Dims, rank: Rank) -> tuple[Shape, ...]:
        oc, ic, kh, kw = dims
        out, into = rank
        core = Shape(out, into, kh=kh, kw=kw, rows=True, columns=True)
        return Shape(into, ic), core, Shape(oc, out)

    def missing(self, dense: Array, ranks: Sequence[Rank]) -> NDArray[np.float64]:
        out, into = _leading(dense, 0), _leading(dense, 1)
        core = np.einsum("oihw,oa,ib->abhw", dense, out, into, optimize=True)
        kept = np.zeros((core.shape[0] + 1, core.shape[1] + 1))
        kept[1:, 1:] = np.cumsum(np.cumsum(np.square(core).sum(axis=(2, 3)), axis=0), axis=1)
        left = np.maximum(0.0, np.square(dense).sum() - kept)
        return np.asarray(np.sqrt(np.array([left[a, b] for a, b in ranks])))

    def fit(self, dense: Array, rank: Rank) -> tuple[Stage, ...]:
        a, b = rank
        out, into = _leading(dense, 0)[:, :a], _leading(dense, 1)[:, :b]
        for _ in range(_ITERATIONS):
            before = out
            out = _leading(np.einsum("oihw,ib->obhw", dense, into, optimize=True), 0)[:, :a]
            into = _leading(np.einsum("oihw,oa->aihw", dense, out, optimize=True), 1)[:, :b]
            if np.linalg.norm(out @ (out.T @ before) - before) < 1e-6:
                break
        core = np.einsum("oihw,oa,ib->abhw", dense, out, into, optimize=True)
        weights = into.T[:, :, None, None], core, out[:, :, None, None]
        return _staged(self.shapes(dense.shape, rank), weights)


class Cp(_Base):
    name = "cp"
    rough = True

    def most(self, dims: Dims) -> Rank:
        """The rank from which on the chain has as many numbers as the layer, and one more."""
        oc, ic, kh, kw = dims
        return (max(1, -(-oc * ic * kh * kw // (oc + ic + kh + kw))),)

    def ranks(self, dims: Dims) -> list[Rank]:
        (most,) = self.most(dims)
        return [(r,) for r in sorted({max(1, round(most * i / _CP_RANKS)) for i in range(1, _CP_RANKS + 1)})]

    def shapes(self, dims: Dims, rank: Rank) -> tuple[Shape, ...]:
        oc, ic, kh, kw = dims
        r = rank[0]
        down, across = Shape(r, r, r, kh=kh, rows=True), Shape(r, r, r, kw=kw, columns=True)
        return Shape(r, ic), down, across, Shape(oc, r)

    def missing(self, dense: Array, ranks: Sequence[Rank]) -> NDArray[np.float64]:
        found = [self._fit(dense, rank, starts=1, sweeps=_ROUGH_SWEEPS) for rank in ranks]
        return np.array([float(np.linalg.norm(dense - composed(stages))) for stages in found])

    def fit(self, dense: Array, rank: Rank) -> tuple[Stage, ...]:
        return self._fit(dense, rank, starts=4, sweeps=150)

    def _fit(self, dense: Array, rank: Rank, starts: int, sweeps: int) -> tuple[Stage, ...]:
        found = decompose(dense, rank[0], starts=starts, sweeps=sweeps)
        weights = (
            found.into.T[:, :, None, None],
            found.column.T[:, None, :, None],
            found.row.T[:, None, None, :],
            found.out[:, :, None, None],
        )
        return _staged(self.shapes(dense.shape, rank), weights)


class Depthwise(_Base):
    name = "depthwise"

    def most(self, dims: Dims) -> Rank:
        oc, _, kh, kw = dims
        return (min(oc, kh * kw),)

    def ranks(self, dims: Dims) -> list[Rank]:
        return [(r,) for r in range(1, self.most(dims)[0] + 1)]

    def shapes(self, dims: Dims, rank: Rank) -> tuple[Shape, ...]:
        oc, ic, kh, kw = dims
        wide = ic * rank[0]
        return Shape(wide, ic, ic, kh, kw, rows=True, columns=True), Shape(oc, wide)

    def missing(self, dense: Array, ranks: Sequence[Rank]) -> NDArray[np.float64]:
        s = np.linalg.svd(_by_input(dense), compute_uv=False)
        return _tails(np.sqrt(np.square(s).sum(axis=0)))[[r[0] for r in ranks]]

    def fit(self, dense: Array, rank: Rank) -> tuple[Stage, ...]:
        oc, ic, kh, kw = dense.shape
        u, s, vt = np.linalg.svd(_by_input(dense), full_matrices=False)
        scale = np.sqrt(s[:, : rank[0]])
        deep = (vt[:, : rank[0]] * scale[:, :, None]).reshape(-1, 1, kh, kw)
        wide = (u[:, :, : rank[0]] * scale[:, None]).transpose(1, 0, 2).reshape(oc, -1, 1, 1)
        return _staged(self.shapes(dense.shape, rank), (deep, wide))


METHODS: Mapping[str, Method] = {m.name: m for m in (Spatial(), Tucker2(), Cp(), Depthwise())}


def stacked(shapes: Sequence[Shape], groups: int) -> tuple[Shape, ...]:
    """The stages of so many groups alike."""
    return tuple(
        replace(s, oc=groups * s.oc, ic=groups * s.ic, groups=groups * s.groups) for s in shapes
    )  # fmt: skip


def _staged(shapes: Sequence[Shape], weights: Sequence[Array]) -> tuple[Stage, ...]:
    return tuple(
        Stage(np.ascontiguousarray(weight), shape.groups, shape.rows, shape.columns)
        for shape, weight in zip(shapes, weights)
    )


def _down_and_across(dense: Array) -> Array:
    oc, ic, kh, kw = dense.shape
    return np.asarray(dense.transpose(1, 2, 3, 0).reshape(ic * kh, kw * oc))


def _by_input(dense: Array) -> Array:
    """(ic, oc, taps)."""
    return np.asarray(dense.transpose(1, 0, 2, 3).reshape(dense.shape[1], dense.shape[0], -1))


def _leading(dense: Array, axis: int) -> Array:
    """Left singular vectors of an unfolding, most important first."""
    unfolded = np.moveaxis(dense, axis, 0).reshape(dense.shape[axis], -1)
    return np.asarray(np.linalg.svd(unfolded, full_matrices=False)[0])


def _tails(s: NDArray[np.floating]) -> Array:
    """Norm of what is left after 0, 1, 2, ... singular values."""
    return np.asarray(np.sqrt(np.append(np.cumsum(np.square(s[::-1]))[::-1], 0.0)), np.float64)


def _levels(most: int) -> list[int]:
    """All ranks where they are few, else so many at even distances."""
    return sorted({max(1, round(most * i / _LEVELS)) for i in range(1, _LEVELS + 1)})
