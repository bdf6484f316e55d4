"""Multiply-adds of the definition, of those that fall on padding, and of those that an algorithm executes."""

from __future__ import annotations

from typing import Protocol

from pyconv.study.cost import ConvolutionDims, convolution_cost

LANES = {"scalar": 1, "neon": 4, "avx2": 8, "avx512": 16}
"""Floats of a vector register."""
_WINOGRAD = {"winograd_f2": 2, "winograd_f4": 4, "winograd_f6": 6}


class Convolution(ConvolutionDims, Protocol):
    """The sizes that say which taps fall on padding."""

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
    def pl(self) -> int: ...


def taps_inside(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many of the out * kernel taps along one axis meet the input.

    >>> taps_inside(7, 7, 3, 1, 1, 1)
    19
    """
    starts = range(-padding, -padding + out * stride, stride)
    return sum(0 <= start + tap * dilation < size for start in starts for tap in range(kernel))


def padding_macs(p: Convolution) -> int:
    """MACs of the definition whose tap falls on padding."""
    inside = taps_inside(p.ih, p.oh, p.kh, p.sh, p.pt, p.dh) * taps_inside(p.iw, p.ow, p.kw, p.sw, p.pl, p.dw)
    return p.mb * p.oc * (p.ic // p.g) * (p.oh * p.ow * p.kh * p.kw - inside)


def executed_macs(algorithm: str, p: Convolution) -> int | None:
    """Multiplications of `algorithm`, each with its addition; None where they depend on the weights.

    F(m x m, r x r) multiplies (s (m - 1) + r)^2 times for each m x m tile of outputs at stride s, a tile that ends
    beyond the edge included (Lavin, Gray, arXiv:1509.09308); its transforms only add and scale, and are not counted.
    The other algorithms execute the definition, taps on padding included; those that implicit_gemm leaves out,
    most of them, are not taken off.
    """
    if algorithm == "separable":
        return None
    m = _WINOGRAD.get(algorithm)
    if m is None:
        return convolution_cost(p).macs
    tiles = p.mb * -(-p.oh // m) * -(-p.ow // m)
    return tiles * (p.sh * (m - 1) + p.kh) ** 2 * p.ic * p.oc


def lane_fill(channels: int, isa: str) -> float:
    """The share of the lanes that hold a channel where channels lie in vectors.

    >>> lane_fill(116, "avx512")
    0.90625
    """
    lanes = LANES.get(isa, 1)
    return channels / (-(-channels // lanes) * lanes) if channels else 1.0


class Computed(Protocol):
    """A layer: the line of its convolution, empty where it is none, and who computes it."""

    @property
    def problem(self) -> str: ...
    @property
    def algorithm(self) -> str: ...


def by_channels(layer: Computed) -> bool:
    """Whether it is a convolution whose vectors hold channels; planar's hold pixels."""
    return bool(layer.problem) and layer.algorithm != "planar"
