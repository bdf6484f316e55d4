"""What the engine offers, as tables: algorithms for a problem, and kernels."""

from __future__ import annotations

import numpy as np
from rich import box
from rich.table import Table

import pyconv
from pyconv.study import machine, timing
from pyconv.study.cost import convolution_cost
from pyconv.study.report import percent, quantity

_MOST_SECONDS = 20.0


def algorithms_table(problem: pyconv.Conv2dProblem, accuracy: str, threads: int, measure: bool) -> Table:
    """Every algorithm's verdict, in the order of the list; with `measure`, the best round as well (NHWC)."""
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
    accepted = [entry for entry in entries if entry.accepted]
    chosen = min(accepted, key=lambda entry: entry.cost).name if accepted else ""
    measured = _measure(problem, [e.name for e in accepted], accuracy, threads) if measure else {}
    cost = convolution_cost(problem)
    title = (
        f"{problem}: {quantity(cost.macs)} MACs, {quantity(cost.bytes, 'B')}, {cost.intensity:.1f} FLOP/byte"
    )
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("algorithm", no_wrap=True)
    for column in ("est. cycles", "workspace", *(("best time", "GFLOP/s", "of FMA peak") if measure else ())):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    peak = machine.fma_peak(threads=threads) if measure else 0.0
    for entry in entries:
        cells = (
            [quantity(round(entry.cost)), quantity(entry.workspace_bytes, "B")]
            if entry.accepted
            else ["", ""]
        )
        if measure:
            cells += _speed(measured.get(entry.name), cost.flops, peak)
        remark = (
            f"refused: {entry.reason}" if not entry.accepted else "chosen" if entry.name == chosen else ""
        )
        table.add_row(entry.name, *cells, remark, style="" if entry.accepted else "dim")
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


def _speed(measured: timing.Timing | None, flops: int, peak: float) -> list[str]:
    if measured is None:
        return ["", "", ""]
    rate = flops / measured.minimum * 1e-9
    return [quantity(measured.minimum, "s"), f"{rate:.1f}", percent(rate / peak)]
