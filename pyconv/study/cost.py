"""What a convolution costs on paper: multiply-adds, parameters, bytes, arithmetic intensity.

One MAC is one multiply and one add, so 2 FLOPs; the two are never mixed here. MACs are counted as
the textbooks do, with the taps that fall on padding, and without any that a kernel adds to fill its
registers. Bytes are the least that must move: weights, source and destination once each, in fp32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

BYTES_PER_ELEMENT = 4
FLOPS_PER_MAC = 2


class ConvolutionDims(Protocol):
    """The sizes that a cost depends on; `pyconv.Conv2dProblem` has them. `ic` and `oc` count the
    channels of all `g` groups together."""

    @property
    def mb(self) -> int: ...
    @property
    def g(self) -> int: ...
    @property
    def ic(self) -> int: ...
    @property
    def oc(self) -> int: ...
    @property
    def ih(self) -> int: ...
    @property
    def iw(self) -> int: ...
    @property
    def oh(self) -> int: ...
    @property
    def ow(self) -> int: ...
    @property
    def kh(self) -> int: ...
    @property
    def kw(self) -> int: ...


@dataclass(frozen=True)
class Cost:
    """Counts in elements and MACs. Costs add: a layer after another reads what that one wrote.

    >>> two = Cost(macs=100, parameters=10, src=20, dst=20) + Cost(macs=50, parameters=5, src=20, dst=5)
    >>> two.flops, two.bytes, two.intensity
    (300, 320, 0.9375)
    """

    macs: int
    parameters: int
    src: int
    dst: int

    @property
    def flops(self) -> int:
        return FLOPS_PER_MAC * self.macs

    @property
    def activations(self) -> int:
        """Elements written."""
        return self.dst

    @property
    def bytes(self) -> int:
        return BYTES_PER_ELEMENT * (self.parameters + self.src + self.dst)

    @property
    def intensity(self) -> float:
        """FLOPs per byte that must move."""
        return self.flops / self.bytes if self.bytes else 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.macs + other.macs,
            self.parameters + other.parameters,
            self.src + other.src,
            self.dst + other.dst,
        )

    def as_dict(self) -> dict[str, float]:
        return {
            "macs": self.macs,
            "flops": self.flops,
            "parameters": self.parameters,
            "activations": self.activations,
            "bytes": self.bytes,
            "intensity_flop_per_byte": self.intensity,
        }


NOTHING = Cost(0, 0, 0, 0)


def convolution_cost(problem: ConvolutionDims, *, bias: bool = False) -> Cost:
    """The cost of one convolution; `bias` adds one parameter per output channel and no MAC."""
    taps = problem.ic // problem.g * problem.kh * problem.kw
    dst = problem.mb * problem.oc * problem.oh * problem.ow
    return Cost(
        macs=dst * taps,
        parameters=problem.oc * taps + (problem.oc if bias else 0),
        src=problem.mb * problem.ic * problem.ih * problem.iw,
        dst=dst,
    )


def linear_cost(batch: int, in_features: int, out_features: int, *, bias: bool = True) -> Cost:
    """The cost of a fully connected layer.

    >>> linear_cost(1, 1024, 1000).parameters
    1025000
    """
    return Cost(
        macs=batch * in_features * out_features,
        parameters=in_features * out_features + (out_features if bias else 0),
        src=batch * in_features,
        dst=batch * out_features,
    )


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of the costs of layers that run one after another."""
    return sum(costs, NOTHING)
