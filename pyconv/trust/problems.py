"""Random convolutions: dense, pointwise, grouped and depthwise, small, and at every edge that kernels have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv.study import reference
from pyconv.trust import winograd
from pyconv.trust.activations import ROWS
from pyconv.trust.compare import Doubles, Floats, U
from pyconv.trust.values import Draw

# Around register tiles: 1, and multiples of 4, 8, 16 with their neighbours.
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 127, 129)
SMALL, LARGE = 150_000, 5_000_000
"""Multiply-adds; the large ones are worth a second thread."""


@dataclass(frozen=True)
class Case:
    """A problem and its operands, channels last. kind: "reals", "integers" or "specials" (NaN, infinities,
    zeros and subnormals among reals)."""

    problem: pyconv.Conv2dProblem
    kind: str
    x: Floats
    weight: Floats
    bias: Floats | None
    residual: Floats
    activation: str | None

    @property
    def terms(self) -> int:
        return int(self.weight[0].size)

    def sum64(self) -> tuple[Doubles, Doubles]:
        """The convolution in float64, and the sum of magnitudes that its rounding errors are measured by."""
        p = self.problem
        how = {"stride": (p.sh, p.sw), "padding": (p.pt, p.pb, p.pl, p.pr), "dilation": (p.dh, p.dw)}
        value = reference.conv2d(self.x, self.weight, groups=p.g, **how)  # type: ignore[arg-type]
        scale = reference.conv2d(np.abs(self.x), np.abs(self.weight), groups=p.g, **how)  # type: ignore[arg-type]
        if self.bias is None:
            return value, scale
        return value + self.bias, scale + np.abs(self.bias)

    def bound(self, algorithm: str, scale: Doubles) -> Doubles:
        """Of the error of any order of summation, or of the algorithm's transform."""
        p, terms = self.problem, self.terms + 2
        if algorithm in winograd.TILES:
            m = winograd.TILES[algorithm]
            x = self.x.transpose(0, 3, 1, 2)
            amplified = winograd.scale(m, x, self.weight, self.bias, (p.pt, p.pb, p.pl, p.pr), p.sh)
            scale, terms = amplified.transpose(0, 2, 3, 1), winograd.terms(m, p.kh, p.ic, p.sh)
        return terms * U * scale + terms * 2.0**-150


def _axis(draw: Draw, most: int, winograd_taps: int, winograd_stride: int) -> tuple[int, int, int, int, int, int]:
    """(size, kernel, stride, before, after, dilation) with at least one output."""
    kernel = winograd_taps or draw.pick((1, 2, 3, 3, 3, 4, 5, 5, 6, 7))
    dilation = draw.pick((1, 1, 1, 2, 3)) if kernel > 1 and not winograd_taps else 1
    span = dilation * (kernel - 1) + 1
    before, after = (draw.pick((0, 1, span // 2, span // 2, span)) for _ in range(2))
    least = max(1, span - before - after)
    stride = winograd_stride if winograd_taps else draw.pick((1, 1, 2, 3))
    return draw.between(least, least + most), kernel, stride, before, after, dilation


def _channels(draw: Draw, kind: str) -> tuple[int, int, int]:
    """Groups, input and output channels."""
    if kind == "grouped":
        g = draw.pick((2, 3, 4, 5, 8, 32))
        return g, g * draw.between(1, 9), g * draw.between(1, 9)
    if kind == "depthwise":
        g = draw.pick(CHANNELS)
        return g, g, g * draw.pick((1, 1, 1, 2, 3))
    return 1, draw.pick(CHANNELS), draw.pick(CHANNELS)


def _fewer(g: int, ic: int, oc: int) -> tuple[int, int, int]:
    """About half the work."""
    per_input, per_output = ic // g, oc // g
    if per_input * per_output == 1:
        return max(1, g // 2), max(1, g // 2), max(1, g // 2)
    if per_input >= per_output:
        return g, g * ((per_input + 1) // 2), oc
    return g, ic, g * ((per_output + 1) // 2)


def drawn_problem(draw: Draw) -> pyconv.Conv2dProblem:
    """Any convolution; one in twelve may have work for several threads."""
    large = draw.chance(12)
    kind = draw.pick(("dense", "dense", "winograd", "pointwise", "grouped", "depthwise"))
    most = 44 if large else 12
    taps, stride = draw.pick(((3, 1), (3, 2), (5, 1))) if kind == "winograd" else (0, 0)
    ih, kh, sh, top, bottom, dh = _axis(draw, most, taps, stride)
    iw, kw, sw, left, right, dw = _axis(draw, most, taps, stride)
    if kind == "pointwise":
        kh = kw = dh = dw = 1
    g, ic, oc = _channels(draw, kind)
    mb = draw.pick((0, 1, 1, 1, 1, 1, 1, 1, 2, 3))
    for _ in range(40):
        problem = pyconv.problem_from_shapes(
            (mb, ic, ih, iw), (oc, ic // g, kh, kw), stride=(sh, sw),
            padding=(top, bottom, left, right), dilation=(dh, dw), groups=g,
        )  # fmt: skip
        if problem.macs <= (LARGE if large else SMALL):
            break
        g, ic, oc = _fewer(g, ic, oc)
    return problem


SPECIALS = (0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 3e38, -3e38)


def _sprinkled(draw: Draw, array: Floats) -> None:
    for _ in range(draw.between(0, 3)):
        if array.size:
            array.reshape(-1)[draw.below(array.size)] = draw.pick(SPECIALS)


def drawn_case(seed: int, index: int) -> tuple[Case, Draw]:
    """Case `index` of `seed`, and the choices that follow it."""
    draw = Draw("problems", seed, index)
    p = drawn_problem(draw)
    kind = draw.pick(("reals", "reals", "reals", "reals", "integers", "specials"))
    fill = draw.integers if kind == "integers" else draw.reals
    x, weight = fill(p.mb, p.ih, p.iw, p.ic), fill(p.oc, p.ic // p.g, p.kh, p.kw)
    bias = None if draw.chance(4) else fill(p.oc)
    residual = fill(p.mb, p.oh, p.ow, p.oc)
    activation = draw.pick(tuple(ROWS)) if draw.chance(2) else None
    if kind == "specials":
        for array in (x, weight, bias, residual):
            if array is not None:
                _sprinkled(draw, array)
    return Case(p, kind, x, weight, bias, residual, activation), draw


def activated(array: Floats, activation: str | None) -> Floats:
    """The operation apart, by the scalar kernels."""
    if activation is None:
        return array
    function = getattr(pyconv, "gelu" if activation == "gelu_tanh" else activation)
    how = {"approximate": "tanh"} if activation == "gelu_tanh" else {}
    result: NDArray[np.float32] = function(array, max_isa="scalar", threads=1, **how)
    return result
