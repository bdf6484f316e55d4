"""What the engine offers, as tables: algorithms for a problem, and kernels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich import box
from rich.table import Table

import pyconv
from pyconv.study import machine, network_errors, timing
from pyconv.study.cost import FLOPS_PER_MAC, convolution_cost
from pyconv.study.machine import Roofline
from pyconv.study.network_counts import executed_macs
from pyconv.study.report import percent, quantity

_MOST_SECONDS = 20.0


@dataclass(frozen=True)
class Way:
    """An algorithm for a problem: its verdict, and where it was run its timing and its error to float64."""

    name: str
    accepted: bool
    reason: str
    cycles: float
    workspace_bytes: int
    executed_macs: int | None
    timing: timing.Timing | None = None
    error: float | None = None

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "timing": self.timing and self.timing.as_dict()}


@dataclass(frozen=True)
class Ways:
    """Every algorithm's verdict on a problem, in the order of the list, beside this machine's roofline where they
    were run."""

    problem: pyconv.Conv2dProblem
    ways: Sequence[Way]
    roofline: Roofline | None = None

    @property
    def chosen(self) -> str:
        accepted = [way for way in self.ways if way.accepted]
        return min(accepted, key=lambda way: way.cycles).name if accepted else ""

    def roofline_share(self, way: Way) -> float | None:
        """Of what executed FLOPs and bytes allow."""
        if way.timing is None or self.roofline is None:
            return None
        cost = convolution_cost(self.problem)
        flops = FLOPS_PER_MAC * (way.executed_macs or cost.macs)
        return self.roofline.bound_seconds(flops, cost.bytes) / way.timing.minimum

    def as_dict(self) -> dict[str, object]:
        cost = convolution_cost(self.problem)
        rows = [{**way.as_dict(), "roofline_share": self.roofline_share(way)} for way in self.ways]
        return {"problem": str(self.problem), **cost.as_dict(), "chosen": self.chosen, "algorithms": rows,
                "roofline": self.roofline and self.roofline.as_dict()}  # fmt: skip


def algorithms(problem: pyconv.Conv2dProblem, accuracy: str, threads: int, measure: bool) -> Ways:
    """What each algorithm says to the problem (NHWC); with `measure`, also how it does."""
    entries = pyconv.algorithms(
        (problem.mb, problem.ic, problem.ih, problem.iw),
        (problem.oc, problem.ic // problem.g, problem.kh, problem.kw),
        stride=(problem.sh, problem.sw),
        padding=(problem.pt, problem.pb, problem.pl, problem.pr),
        dilation=(problem.dh, problem.dw),
        groups=problem.g,
        accuracy=accuracy,
        layout="nhwc",
        threads=threads,
    )
    accepted = [entry.name for entry in entries if entry.accepted]
    measured = _measure(problem, accepted, accuracy, threads) if measure else {}
    pairs = [(str(problem), name) for name in measured]
    errors = network_errors.errors(pairs, accuracy=accuracy) if measure else {}
    ways = [
        Way(
            entry.name, entry.accepted, entry.reason, entry.cost, entry.workspace_bytes,
            executed_macs(entry.name, problem) if entry.accepted else None,
            measured.get(entry.name), errors.get((str(problem), entry.name)),
        )
        for entry in entries
    ]  # fmt: skip
    return Ways(problem, ways, machine.roofline(threads=threads) if measure else None)


def algorithms_table(found: Ways) -> Table:
    """A row for each algorithm."""
    cost, measure = convolution_cost(found.problem), found.roofline is not None
    title = (
        f"{found.problem}: {quantity(cost.macs)} MACs, {quantity(cost.bytes, 'B')}, {cost.intensity:.1f} FLOP/byte"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("algorithm", no_wrap=True)
    columns = ["MACs executed", "est. cycles", "workspace"]
    if measure:
        columns += ["best time", "spread", "GFLOP/s", "of FMA peak", "of roofline", "error"]
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for way in found.ways:
        cells = [""] * len(columns)
        if way.accepted:
            executed = "" if way.executed_macs is None else quantity(way.executed_macs)
            cells[:3] = [executed, quantity(round(way.cycles)), quantity(way.workspace_bytes, "B")]
        if way.timing is not None and found.roofline is not None:
            cells[3:] = _speed(way, found, cost.flops, found.roofline.peak_gflops)
        chosen = "chosen" if way.name == found.chosen else ""
        remark = chosen if way.accepted else f"refused: {way.reason}"
        table.add_row(way.name, *cells, remark, style="" if way.accepted else "dim")
    return table


def kernels_table(everything: bool) -> Table:
    """The registry's rows; `everything` lists those as well that the process may not use."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("kernel", "family", "ISA", "tile", "of FMA peak (est.)"):
        table.add_column(column, no_wrap=True)
    for row in pyconv.kernels():
        if everything or row.available:
            tile = "x".join(map(str, row.tile)) if any(row.tile) else ""
            efficiency = f"{row.efficiency} %" if row.efficiency else ""
            style = "" if row.available else "dim"
            table.add_row(row.name, row.family, row.isa, tile, efficiency, style=style)
    return table


def _measure(
    problem: pyconv.Conv2dProblem, names: list[str], accuracy: str, threads: int
) -> dict[str, timing.Timing]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(problem.mb, problem.ih, problem.iw, problem.ic)).astype(np.float32)
    weight = rng.normal(size=(problem.oc, problem.ic // problem.g, problem.kh, problem.kw)).astype(np.float32)
    out = np.empty((problem.mb, problem.oh, problem.ow, problem.oc), np.float32)
    cases = {}
    for name in names:
        plan = pyconv.Conv2dPlan(
            problem, weight, algorithm=name, accuracy=accuracy, layout="nhwc", threads=threads
        )
        cases[name] = lambda plan=plan: plan(x, out=out)
    if not cases:
        return {}
    return dict(timing.measure(cases, rounds=15, budget_seconds=_MOST_SECONDS).timings)


def _speed(way: Way, found: Ways, flops: int, peak: float) -> list[str]:
    if way.timing is None:
        return []
    rate, share = flops / way.timing.minimum * 1e-9, found.roofline_share(way)
    return [
        quantity(way.timing.minimum, "s"),
        percent(way.timing.spread),
        f"{rate:.1f}",
        percent(rate / peak),
        "" if share is None else percent(share),
        "" if way.error is None else f"{way.error:.1e}",
    ]
