"""Promise: a convolution gives the right numbers, whatever computes them.

Every algorithm that accepts the problem, on every instruction set of this CPU, in both layouts, on one, two and
four threads: in exact mode all give the bits of the scalar reference, in fast mode all stay within the bound of
their arithmetic from float64. Small integers come out exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import pyconv
from pyconv import _core
from pyconv.trust.activations import through
from pyconv.trust.compare import Broken, Doubles, Floats, same_bits, within
from pyconv.trust.guard import guarded
from pyconv.trust.problems import SMALL, Case, activated, drawn_case
from pyconv.trust.values import Draw
from pyconv.trust.work import Work

ISAS = tuple(sorted({kernel.isa for kernel in pyconv.kernels() if kernel.available}))
LAYOUTS = ("nchw", "nhwc")
ROWS = tuple(kernel.name for kernel in pyconv.kernels() if kernel.available)
UNTOUCHED = np.float32(-12345.5)


@dataclass(frozen=True)
class Way:
    """How a convolution is run; prints as options of `Conv2dPlan`."""

    algorithm: str
    accuracy: str
    layout: str
    max_isa: str | None
    threads: int
    kernel: str | None = None

    def __str__(self) -> str:
        given = [f"{name}={value!r}" for name, value in vars(self).items() if value is not None]
        return ", ".join(given)


def ways(case: Case, draw: Draw, accuracy: str) -> Iterator[Way]:
    """All algorithms, instruction sets and layouts, each with some number of threads; then some kernel rows."""
    macs = case.problem.macs
    scalar = macs <= SMALL // 8 or (macs <= SMALL and draw.chance(4))  # which takes most of the time
    isas: list[str | None] = [isa for isa in ISAS if isa != "scalar" or scalar] or ["scalar"]
    chosen: list[tuple[str | None, str, str | None]]
    chosen = [(isa, layout, None) for isa in isas for layout in LAYOUTS]
    chosen += [(None, draw.pick(LAYOUTS), draw.pick(ROWS)) for _ in range(3)]
    for isa, layout, row in chosen:
        threads = draw.pick((1, 1, 2, 4))
        found = _core.algorithms(
            case.problem, None, case.activation, accuracy, layout, threads, isa, row, 0.0
        )
        for name, accepted, *_ in found:
            if accepted and (name != "reference" or (isa == "scalar" and layout == "nchw")):
                yield Way(name, accuracy, layout, isa, threads, row)


def placed(array: Floats, where: str | None) -> Floats:
    """The array, beside an unmapped page where a side is named."""
    return array if where is None else guarded(array, where)


class Runner:
    """One case, run in many ways. Operands may touch pages that can't be read, on one side or the other."""

    def __init__(self, case: Case, where: str | None) -> None:
        self.case, self.runs = case, 0
        self._weight = placed(case.weight, where)
        self._bias = None if case.bias is None else placed(case.bias, where)
        nchw = np.ascontiguousarray(case.x.transpose(0, 3, 1, 2))
        self._x = {"nhwc": placed(case.x, where), "nchw": placed(nchw, where)}
        p = case.problem
        shapes = {"nhwc": (p.mb, p.oh, p.ow, p.oc), "nchw": (p.mb, p.oc, p.oh, p.ow)}
        self._out = {layout: placed(np.empty(shape, np.float32), where) for layout, shape in shapes.items()}

    def run(self, way: Way, activation: str | None, twice: bool = False) -> Floats:
        """The result, channels last."""
        plan = pyconv.Conv2dPlan(
            self.case.problem, self._weight, self._bias, activation=activation, algorithm=way.algorithm,
            accuracy=way.accuracy, layout=way.layout, threads=way.threads, max_isa=way.max_isa,
            kernel=way.kernel,
        )  # fmt: skip
        out = self._out[way.layout]
        results = []
        for _ in range(1 + twice):
            self.runs += 1
            out.fill(np.nan)
            plan(self._x[way.layout], out=out)
            nhwc = out if way.layout == "nhwc" else out.transpose(0, 2, 3, 1)
            results.append(np.array(nhwc, order="C"))
        if twice:
            same_bits(results[1], results[0], f"{way}, called again")
        return results[0]


class Check:
    """All that is promised of one case."""

    def __init__(self, case: Case, draw: Draw) -> None:
        self.case, self.draw = case, draw
        self.where = draw.pick((None, None, "end", "begin"))
        self.runner = Runner(case, self.where)
        with np.errstate(all="ignore"):
            self.value, self.scale = case.sum64()
        self.largest = 0.0
        self._bounds: dict[str, Doubles] = {}

    def run(self) -> None:
        chain = self._chain()
        wanted = activated(chain, self.case.activation)
        for way in ways(self.case, self.draw, "exact"):
            same_bits(self.runner.run(way, self.case.activation), wanted, str(way))
        for way in ways(self.case, self.draw, "fast"):
            got = self.runner.run(way, self.case.activation, twice=self.draw.chance(4))
            self._bounded(way.algorithm, got, str(way))
        for _ in range(2):
            self._strided(chain)

    def _chain(self) -> Floats:
        """The exact bits, by the scalar reference; of large problems by another algorithm."""
        large = self.case.problem.macs > SMALL
        way = Way("auto" if large else "reference", "exact", "nhwc", None if large else "scalar", 1)
        chain = self.runner.run(way, None)
        if self.case.kind == "integers":
            same_bits(chain, (self.value + 0.0).astype(np.float32), f"{way}, small integers")
        elif self.case.kind == "reals":
            within(chain, self.value, self._bound("reference"), f"{way}, no activation")
        return chain

    def _bound(self, algorithm: str) -> Doubles:
        if algorithm not in self._bounds:
            self._bounds[algorithm] = self.case.bound(algorithm, self.scale)
        return self._bounds[algorithm]

    def _bounded(self, algorithm: str, got: Floats, what: str, residual: Floats | None = None) -> None:
        if self.case.kind == "specials":
            return
        value, error = self.value, self._bound(algorithm)
        if residual is not None:
            value = value + residual
            error = error + 2.0**-24 * (np.abs(value) + error)
        want, bound = through(self.case.activation, value, error, fast=True)
        self.largest = max(self.largest, within(got, want, bound, what))

    def _strided(self, chain: Floats) -> None:
        """Operands as networks lay them out: wider pixels, mixed layouts, a residual."""
        p, draw, case = self.case.problem, self.draw, self.case
        residual = case.residual if draw.chance(2) else None
        options: dict[str, Any] = {f"{name}_layout": draw.pick(LAYOUTS) for name in ("src", "dst")}
        options |= {"accuracy": draw.pick(("exact", "fast")), "threads": draw.pick((1, 2, 4))}
        options["max_isa"] = draw.pick(ISAS if p.macs <= SMALL else ISAS[:-1] or ISAS)
        if case.activation is not None:
            options["activation"] = case.activation
        for name, channels in (("src", p.ic), ("dst", p.oc), ("residual", p.oc)):
            layout = options["src_layout" if name == "src" else "dst_layout"]
            if layout == "nhwc":
                options[f"{name}_pixel"] = channels + draw.pick((0, 1, 3, 16, 17))
        got, algorithm = self._run_strided(residual, options)
        what = f"{algorithm}, strided, residual={residual is not None}, {options}"
        if options["accuracy"] == "fast":
            self._bounded(algorithm, got, what, residual)
            return
        with np.errstate(all="ignore"):
            total = chain if residual is None else chain + residual
        same_bits(got, activated(total, case.activation), what)

    def _run_strided(self, residual: Floats | None, options: dict[str, Any]) -> tuple[Floats, str]:
        p = self.case.problem
        src, _ = _flat(self.case.x, options["src_layout"], options.get("src_pixel"), np.float32(np.nan))
        blank = np.full((p.mb, p.oh, p.ow, p.oc), np.nan, np.float32)
        dst, back = _flat(blank, options["dst_layout"], options.get("dst_pixel"), UNTOUCHED)
        if residual is not None:
            pixel = options.get("residual_pixel")
            residual = _flat(residual, options["dst_layout"], pixel, np.float32(np.nan))[0]
        dst = placed(dst, self.where)
        self.runner.runs += 1
        algorithm = _core._run_conv2d(
            p, self.case.weight.reshape(-1), self.case.bias, placed(src, self.where), dst, residual, options
        )
        got, between = back(dst)
        if (between != UNTOUCHED).any():
            raise Broken(f"{algorithm}, strided, {options}: wrote between the pixels")
        return got, algorithm


def _flat(array: Floats, layout: str, pixel: int | None, around: np.float32) -> tuple[Floats, Any]:
    """Channels last to a flat operand whose pixels are `pixel` floats apart, and the way back: to the array, and
    to the floats between its pixels."""
    n, h, w, c = array.shape
    if layout == "nchw":
        flat = np.array(array.transpose(0, 3, 1, 2), order="C").reshape(-1)
        return flat, lambda f: (np.array(f.reshape(n, c, h, w).transpose(0, 2, 3, 1), order="C"), f[:0])
    if not pixel or not array.size:
        return array.reshape(-1).copy(), lambda f: (f.reshape(n, h, w, c).copy(), f[:0])
    wide = np.full((n * h * w, pixel), around, np.float32)
    wide[:, :c] = array.reshape(-1, c)
    floats = wide.size - pixel + c

    def back(flat: Floats) -> tuple[Floats, Floats]:
        whole = np.append(flat, np.full(pixel - c, around, np.float32)).reshape(-1, pixel)
        return whole[:, :c].reshape(n, h, w, c).copy(), whole[:, c:]

    return wide.reshape(-1)[:floats].copy(), back


def run(work: Work) -> None:
    """Random problems until the time is up."""
    for index in work.cases():
        case, draw = drawn_case(work.seed, index)
        checked = Check(case, draw)
        try:
            with np.errstate(all="ignore"):
                checked.run()
        except (Broken, ValueError) as error:
            raise Broken(f"{case.problem} ({case.kind}, activation {case.activation}): {error}") from error
        work.count("problems")
        work.count("runs", checked.runner.runs)
        work.count("problems with work for threads", case.problem.macs > SMALL)
        work.largest("largest error in bounds", round(checked.largest, 3))
