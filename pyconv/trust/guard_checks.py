"""Promise: no kernel reads or writes beside its operands.

Every row of the registry that this CPU may use, at sizes around its tile, with all operands ending, and then
beginning, at a page that can be neither read nor written. A step too far ends the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pyconv
from pyconv import _core
from pyconv.trust.compare import Broken
from pyconv.trust.guard import guarded
from pyconv.trust.values import Draw, Floats
from pyconv.trust.work import Work

CONVOLVE = ("gemm", "direct", "depthwise", "grouped", "planar", "winograd", "reference")
SIDES = ("end", "begin")


def _near(draw: Draw, tile: int) -> int:
    return max(1, draw.pick((1, tile - 1, tile, tile + 1, 2 * tile + 1, draw.between(1, 2 * tile + 3))))


class Case:
    """A row, and sizes drawn for it."""

    def __init__(self, row: pyconv.Kernel, draw: Draw) -> None:
        self.row, self.draw = row, draw
        first, second = (row.tile + (1, 1))[:2]
        self.rows, self.columns = _near(draw, max(1, first)), _near(draw, max(1, second))

    def run(self) -> int:
        """Runs it on both sides; how many calls that took."""
        return sum(1 for side in SIDES for _ in self._calls(side))

    def _calls(self, side: str) -> Iterator[None]:
        family = self.row.family
        if family in CONVOLVE:
            yield from self._convolutions(side)
            return
        call: Callable[[str], Any] = getattr(self, f"_{family}", self._elementwise)
        out = call(side)
        if np.isnan(out).any():
            raise Broken(f"{self.row.name}, {side}: left NaN in an output of shape {out.shape}")
        yield

    def _array(self, side: str, *shape: int) -> Floats:
        return guarded(self.draw.reals(*shape), side)

    def _out(self, side: str, *shape: int) -> Floats:
        return guarded(np.full(shape, np.nan, np.float32), side)

    def _problem(self) -> pyconv.Conv2dProblem:
        draw, family = self.draw, self.row.family
        kernel = {"winograd": 3, "gemm": draw.pick((1, 3)), "reference": 2}.get(family, draw.pick((3, 5, 7)))
        stride = 1 + ("_s2_" in self.row.name) if family == "winograd" else draw.pick((1, 2))
        groups, ic, oc = 1, draw.between(1, 20), self.columns
        if family == "depthwise":
            groups = ic = oc = self.columns
        elif family == "grouped":
            groups = draw.between(1, 2 * self.columns)
            ic, oc = groups * draw.between(1, 4), groups * draw.between(1, 4)
        pad = draw.between(0, kernel // 2)
        height = max(kernel - 2 * pad, draw.between(1, 4))
        width = max(kernel - 2 * pad, (self.rows - 1) * stride + kernel - 2 * pad)
        return pyconv.problem_from_shapes(
            (draw.pick((1, 2)), ic, height, width), (oc, ic // groups, kernel, kernel),
            stride=stride, padding=pad, groups=groups,
        )  # fmt: skip

    def _convolutions(self, side: str) -> Iterator[None]:
        p = self._problem()
        weight, bias = self._array(side, p.oc, p.ic // p.g, p.kh, p.kw), self._array(side, p.oc)
        for layout in ("nchw", "nhwc"):
            nchw = layout == "nchw"
            x = (
                self._array(side, p.mb, p.ic, p.ih, p.iw)
                if nchw
                else self._array(side, p.mb, p.ih, p.iw, p.ic)
            )
            shape = (p.mb, p.oc, p.oh, p.ow) if nchw else (p.mb, p.oh, p.ow, p.oc)
            for name, accepted, *_ in _core.algorithms(
                p, None, None, "fast", layout, 1, None, self.row.name, 0.0
            ):
                if not accepted:
                    continue
                plan = pyconv.Conv2dPlan(p, weight, bias, algorithm=name, layout=layout, kernel=self.row.name)
                if np.isnan(plan(x, out=self._out(side, *shape))).any():
                    raise Broken(f"{self.row.name}, {name}, {layout}, {p}: left NaN in the output")
                yield

    def _linear(self, side: str) -> Floats:
        inputs = self.draw.between(1, 80)
        weight = self._array(side, self.columns, inputs)
        exact = "chain" in self.row.name
        x, out = self._array(side, self.rows, inputs), self._out(side, self.rows, self.columns)
        accuracy = "exact" if exact else "fast"
        try:
            return pyconv.linear(
                x, weight, self._array(side, self.columns), kernel=self.row.name, accuracy=accuracy, out=out
            )
        except ValueError:  # a row of the other accuracy
            accuracy = "fast" if exact else "exact"
            return pyconv.linear(x, weight, None, kernel=self.row.name, accuracy=accuracy, out=out)

    def _image(self, side: str) -> tuple[Floats, str, tuple[int, int, int, int]]:
        n, c, h, w = self.draw.pick((1, 2)), self.columns, self.draw.between(3, 9), max(3, self.rows)
        layout = "nhwc" if "nhwc" in self.row.name else "nchw"
        shape = (n, c, h, w) if layout == "nchw" else (n, h, w, c)
        return self._array(side, *shape), layout, (n, c, h, w)

    def _pool(self, side: str) -> Floats:
        x, layout, (n, c, h, w) = self._image(side)
        kernel, padding = self.draw.pick(((2, 0), (3, 1)))
        oh, ow = (size + 2 * padding - kernel + 1 for size in (h, w))
        out = self._out(side, *((n, c, oh, ow) if layout == "nchw" else (n, oh, ow, c)))
        function = pyconv.max_pool2d if "max" in self.row.name else pyconv.avg_pool2d
        return function(x, kernel, stride=1, padding=padding, layout=layout, kernel=self.row.name, out=out)

    def _global_pool(self, side: str) -> Floats:
        x, layout, (n, c, _, _) = self._image(side)
        out = self._out(side, *((n, c, 1, 1) if layout == "nchw" else (n, 1, 1, c)))
        function = pyconv.global_max_pool2d if "max" in self.row.name else pyconv.global_avg_pool2d
        return function(x, layout=layout, kernel=self.row.name, out=out)

    def _transpose(self, side: str) -> Floats:
        x, _, (n, c, h, w) = self._image(side)
        return pyconv.nchw_to_nhwc(x, kernel=self.row.name, out=self._out(side, n, h, w, c))

    def _softmax(self, side: str) -> Floats:
        axis = self.draw.below(2)
        shape = self.rows, self.draw.between(1, 70)
        x, out = self._array(side, *shape), self._out(side, *shape)
        function = self.draw.pick((pyconv.softmax, pyconv.log_softmax))
        return function(x, axis, max_isa=self.row.isa, out=out)

    def _lrn(self, side: str) -> Floats:
        x, layout, _ = self._image(side)
        layout = self.draw.pick(("nchw", "nhwc"))
        return pyconv.lrn(x, 5, layout=layout, max_isa=self.row.isa, out=self._out(side, *x.shape))

    def _resize(self, side: str) -> Floats:
        x, _, (n, c, h, w) = self._image(side)
        size = h + self.draw.between(-2, 5), w + self.draw.between(-2, 9)
        out = self._out(side, n, c, *size)
        return pyconv.resize(x, size, mode="bilinear", max_isa=self.row.isa, out=out)

    def _elementwise(self, side: str) -> Floats:
        count = self.draw.between(1, 80)
        positive = guarded(np.abs(self.draw.reals(count)), side)  # within every function's domain
        parameter = guarded(np.ones(count if self.draw.chance(2) else 1, np.float32), side)
        try:
            return _core.eltwise_kernel(self.row.name, positive, parameter, parameter, self._out(side, count))
        except ValueError:  # a function of no parameters
            return _core.eltwise_kernel(
                self.row.name, positive, parameter[:1], parameter[:1], self._out(side, count)
            )


def run(work: Work) -> None:
    """Rows in turn, until the time is up and each has been run."""
    rows = [kernel for kernel in pyconv.kernels() if kernel.available and kernel.family != "probe"]
    shown: set[str] = set()
    for index in work.cases():
        row = rows[index % len(rows)]
        try:
            calls = Case(row, Draw("guard", work.seed, index)).run()
        except (Broken, ValueError) as error:
            raise Broken(f"{row.name}: {error}") from error
        work.count("calls", calls)
        shown |= {row.name} if calls else set()
        work.figures["kernel rows"] = len(shown)
    work.figures["of"] = len(rows)
