"""A convolution as a chain of cheaper ones: the stages, what they cost, what they amount to.

No stage but the last has a bias and none an activation, so a chain is one linear map, and zeros that pad
the layer stay zeros on the way: rows are padded by the stage that moves along rows, columns by the one that
moves along columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Geometry(Protocol):
    """The sizes of a convolution that those of a chain follow from; `pyconv.Conv2dProblem` has them."""

    @property
    def mb(self) -> int: ...
    @property
    def ih(self) -> int: ...
    @property
    def iw(self) -> int: ...
    @property
    def oh(self) -> int: ...
    @property
    def ow(self) -> int: ...
    @property
    def sh(self) -> int: ...
    @property
    def sw(self) -> int: ...
    @property
    def dh(self) -> int: ...
    @property
    def dw(self) -> int: ...
    @property
    def pt(self) -> int: ...
    @property
    def pb(self) -> int: ...
    @property
    def pl(self) -> int: ...
    @property
    def pr(self) -> int: ...


@dataclass(frozen=True)
class Shape:
    """A stage without its numbers. ``rows``, ``columns``: whether the layer's stride, padding and dilation
    along that axis are this stage's."""

    oc: int
    ic: int
    groups: int = 1
    kh: int = 1
    kw: int = 1
    rows: bool = False
    columns: bool = False

    @property
    def parameters(self) -> int:
        return self.oc * (self.ic // self.groups) * self.kh * self.kw

    def attributes(self, p: Geometry) -> dict[str, Any]:
        """Of a "conv" node that takes this stage's part in layer `p`; padding is top, bottom, left, right."""
        return {
            "stride": [p.sh if self.rows else 1, p.sw if self.columns else 1],
            "dilation": [p.dh if self.rows else 1, p.dw if self.columns else 1],
            "padding": [
                *((p.pt, p.pb) if self.rows else (0, 0)),
                *((p.pl, p.pr) if self.columns else (0, 0)),
            ],
            "groups": self.groups,
        }

    def problem(self, p: Geometry, ih: int, iw: int) -> str:
        """The line of this stage on pixels of `ih` x `iw`."""
        told = self.attributes(p)
        (sh, sw), (dh, dw), (pt, pb, pl, pr) = told["stride"], told["dilation"], told["padding"]
        return (
            f"mb{p.mb}g{self.groups}ic{self.ic}oc{self.oc}_ih{ih}iw{iw}kh{self.kh}kw{self.kw}"
            f"sh{sh}sw{sw}pt{pt}pl{pl}pb{pb}pr{pr}dh{dh}dw{dw}"
        )


@dataclass(frozen=True)
class Stage:
    """One convolution of a chain: `weight` is (oc, ic / groups, kh, kw)."""

    weight: Array
    groups: int = 1
    rows: bool = False
    columns: bool = False

    @property
    def shape(self) -> Shape:
        oc, icg, kh, kw = self.weight.shape
        return Shape(oc, icg * self.groups, self.groups, kh, kw, self.rows, self.columns)


@dataclass(frozen=True)
class Factors:
    """A layer as a chain. ``error`` is the norm of what it gets wrong of the weights, over their norm."""

    method: str
    rank: tuple[int, ...]
    stages: tuple[Stage, ...]
    error: float

    @property
    def parameters(self) -> int:
        return sum(stage.shape.parameters for stage in self.stages)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(stage.shape for stage in self.stages)

    def problems(self, p: Geometry) -> list[str]:
        """The line of each stage in place of layer `p`."""
        return problems(self.shapes, p)

    def macs(self, p: Geometry) -> int:
        return macs(self.shapes, p)

    def weight(self, groups: int = 1) -> Array:
        """The kernel that the chain amounts to, (oc, ic / groups, kh, kw)."""
        return composed(self.stages, groups)

    def as_dict(self) -> Mapping[str, object]:
        return {
            "method": self.method,
            "rank": list(self.rank),
            "parameters": self.parameters,
            "weight_error": self.error,
        }


def pixels(shapes: Sequence[Shape], p: Geometry) -> list[tuple[int, int]]:
    """Height and width of what each stage makes."""
    found, height, width = [], p.ih, p.iw
    for shape in shapes:
        height, width = p.oh if shape.rows else height, p.ow if shape.columns else width
        found.append((height, width))
    return found


def problems(shapes: Sequence[Shape], p: Geometry) -> list[str]:
    sizes = [(p.ih, p.iw), *pixels(shapes, p)]
    return [shape.problem(p, *size) for shape, size in zip(shapes, sizes)]


def macs(shapes: Sequence[Shape], p: Geometry) -> int:
    """Multiply-adds of all stages in place of layer `p`, taps on padding included."""
    return p.mb * sum(
        shape.parameters * height * width for shape, (height, width) in zip(shapes, pixels(shapes, p))
    )


def composed(stages: Sequence[Stage], groups: int = 1) -> Array:
    """The one kernel that does what the stages do one after another.

    >>> column, row = np.array([3.0, 4, 5]).reshape(1, 1, 3, 1), np.array([1.0, 2, 3]).reshape(1, 1, 1, 3)
    >>> composed([Stage(column, rows=True), Stage(row, columns=True)])[0, 0].astype(int).tolist()
    [[3, 6, 9], [4, 8, 12], [5, 10, 15]]
    """
    blocks = []
    for block in range(groups):
        whole = _dense(stages[0], block, groups)
        for stage in stages[1:]:
            after = _dense(stage, block, groups)
            joined = np.einsum("omab,micd->oiacbd", after, whole, optimize=True)
            oc, ic, a, c, b, d = joined.shape
            whole = joined.reshape(oc, ic, a * c, b * d)
        blocks.append(whole)
    return np.concatenate(blocks)


def _dense(stage: Stage, block: int, blocks: int) -> Array:
    """One of the layer's groups of a stage, with zeros between channels that do not meet."""
    within = stage.groups // blocks
    weight = stage.weight.reshape(blocks, within, -1, *stage.weight.shape[1:])[block]
    _, ocg, icg, kh, kw = weight.shape
    if within == 1:
        return np.asarray(weight[0])
    dense = np.zeros((within, ocg, within, icg, kh, kw))
    dense[np.arange(within), :, np.arange(within)] = weight
    return dense.reshape(within * ocg, within * icg, kh, kw)
