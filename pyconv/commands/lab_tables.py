"""The pages of `pyconv study factorize`, and its tables of one layer and of a network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.console import Group, RenderableType
from rich.text import Text

import pyconv
from pyconv.commands.tables import short, table
from pyconv.study import lab_words, report
from pyconv.study.lab import LECTURES, PLAIN, Lab, Row
from pyconv.study.lab_body import Body, Line
from pyconv.study.lab_network import NetworkLab
from pyconv.study.network_pair import Part
from pyconv.study.units import percent, quantity, times

_NOISY = 0.25


def lectures(lab: Lab) -> RenderableType:
    """The first page: weights by the formulas, and what the saving comes to."""
    p = pyconv.Conv2dProblem(lab.problem)
    title = f"C = {p.ic} channels to H = {p.oc} filters of K x K = {p.kh} x {p.kw}, on {p.ih} x {p.iw}"
    made = table(title, "convolution", "weights", "", "MACs", "fewer MACs", "time", "faster", left=2)
    for name in LECTURES:
        row = lab[name]
        made.add_row(
            name,
            row.kind.formula,
            quantity(row.parameters),
            quantity(row.macs),
            times(lab.mac_ratio(row)),
            quantity(row.best_s, "s"),
            times(lab.time_ratio(row)),
        )
    return made


def kinds(lab: Lab) -> RenderableType:
    """Every kind with its figures, then a sentence for each."""
    made = table(
        f"In place of {lab.problem}",
        "convolution", "algorithm", "weights", "MACs", "executed", "moves", "holds", "predicted", "best time",
        "median", "spread", "fewer MACs", "faster", "than plain sum",
        left=2,
    )  # fmt: skip
    for row in lab.rows:
        made.add_row(*_cells(lab, row))
    lines = [Text(lab_words.sentence(lab, row)) for row in lab.rows]
    refusals = [Text(f"{name}: {why}", style="dim") for name, why in lab.refused.items()]
    foot = Text(report.machine_line(lab.roofline), style="dim")
    return Group(made, *lines, *refusals, foot, *_doubt([row.timing.spread for row in lab.rows]))


def _cells(lab: Lab, row: Row) -> list[str]:
    return [
        row.name,
        row.algorithm,
        quantity(row.parameters),
        quantity(row.macs),
        quantity(row.executed_macs),
        quantity(row.moved_bytes, "B"),
        quantity(row.held_bytes, "B"),
        quantity(row.predicted_s, "s"),
        quantity(row.best_s, "s"),
        quantity(row.timing.median, "s"),
        percent(row.timing.spread),
        times(lab.mac_ratio(row)),
        times(lab.time_ratio(row)),
        times(lab.time_ratio(row, PLAIN)),
    ]


def _doubt(spreads: Sequence[float]) -> list[Text]:
    worst = max(spreads, default=0.0)
    if worst <= _NOISY:
        return []
    return [
        Text(f"Rounds differ by up to {percent(worst)}: repeat it when the machine is idle.", style="bold")
    ]


def network(found: NetworkLab) -> RenderableType:
    """Layers that are alike in one row: fewer MACs, and how many times as fast."""
    columns = ["layers", "", "MACs", "algorithm", "time"]
    made = table(f"{found.name}: fewer MACs, faster", *columns, *found.kinds, left=2)
    for line, lab in found.labs.items():
        names, normal = found.layers[line], lab.rows[0]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        cells = [f"{short(names[0])}{more}", line, quantity(normal.macs), normal.algorithm]
        cells.append(quantity(normal.best_s, "s"))
        known = {row.name: row for row in lab.rows}
        for kind in found.kinds:
            row = known.get(kind)
            cells.append(f"{times(lab.mac_ratio(row))}, {times(lab.time_ratio(row))}" if row else "")
        made.add_row(*cells)
    if found.labs:
        wholes = [found.whole(kind) for kind in found.kinds]
        made.add_section()
        made.add_row("all", "", quantity(found.macs), "", quantity(found.seconds, "s"),
                     *(f"{times(w.mac_ratio)}, {times(w.time_ratio)}" for w in wholes))  # fmt: skip
    left: dict[str, int] = {}
    for why in found.left.values():
        left[why] = left.get(why, 0) + 1
    notes = [Text(f"not taken apart: {n} ({why})", style="dim") for why, n in left.items()]
    spreads = [row.timing.spread for lab in found.labs.values() for row in lab.rows]
    return Group(made, *notes, Text(found.sentence, style="bold"), *_doubt(spreads))


def body(found: Body) -> RenderableType:
    """The second page: layers of both networks beside each other."""
    first, second = found.names
    columns = [
        "layers",
        first,
        "input",
        "MACs",
        "time",
        second,
        "MACs",
        "algorithm",
        "time",
        "fewer MACs",
        "faster",
    ]
    made = table(f"{first} beside {second}, layer by layer", *columns, left=2)
    for part in found.parts:
        for cells in _part_rows(found, part):
            made.add_row(*cells)
    made.add_section()
    sums = [sum(line.timing.minimum for line in side) for side in found.lines]
    macs = [quantity(n) for n in found.macs]
    made.add_row("all", "", "", macs[0], quantity(sums[0], "s"), "", macs[1], "", quantity(sums[1], "s"),
                 times(found.mac_ratio), times(sums[1] / sums[0]))  # fmt: skip
    best = [quantity(whole.minimum, "s") for whole in found.whole]
    made.add_row("as planned", "", "", "", best[0], "", "", "", best[1], "", times(found.time_ratio))
    return Group(made, Text(found.sentence, style="bold"), *_doubt([whole.spread for whole in found.whole]))


def _part_rows(found: Body, part: Part) -> list[list[str]]:
    """The layers of a part of either network side by side; the ratios stand in the first row."""
    rows = []
    for i, (a, b) in enumerate(zip_longest(*found.of(part))):
        ratios = [times(part.mac_ratio), times(part.time_ratio)] if not i else ["", ""]
        rows.append(
            [part.name if not i else "", *_left(a), *_right(b), *(ratios if part.macs[0] else ["", ""])]
        )
    return rows


def _left(line: Line | None) -> list[str]:
    if line is None:
        return [""] * 4
    size = "x".join(map(str, line.shape[1:]))
    return [line.what, size, quantity(line.macs) if line.macs else "", quantity(line.timing.minimum, "s")]


def _right(line: Line | None) -> list[str]:
    if line is None:
        return [""] * 4
    macs = quantity(line.macs) if line.macs else ""
    return [line.what, macs, line.algorithm, quantity(line.timing.minimum, "s")]
