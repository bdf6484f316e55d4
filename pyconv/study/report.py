"""The study in words: one sentence, two tables, JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyconv.study.machine import LEVELS, Roofline
from pyconv.study.machine_probe import Probe
from pyconv.study.result import NORMAL, Study
from pyconv.study.units import percent as percent
from pyconv.study.units import quantity as quantity
from pyconv.study.units import times as times

PLAIN = "normal, plain sum"
DEPTHWISE = "depthwise"
POINTWISE = "pointwise"
SPATIAL = "spatially separable"
SEPARABLE = "depthwise-separable"
_NOISY = 0.25


def finding(study: Study) -> str:
    """What was found, in one sentence made from the numbers."""
    reason, doubt = explanation(study), caveat(study)
    return f"{headline(study)}{', ' + reason if reason else ''}{'; ' + doubt if doubt else ''}."


def headline(study: Study) -> str:
    """How much of the saving in MACs became a saving of time."""
    saving = study.saving(study[SEPARABLE])
    if saving.macs < 1.05:
        speed = f"{times(saving.time)} faster" if saving.time >= 1 else f"{times(1 / saving.time)} slower"
        return f"No fewer MACs, {speed}: depthwise-separable has nothing to save at this size"
    fewer = f"{times(saving.macs)} fewer MACs"
    if saving.time < 0.95:
        return f"{fewer}, yet {times(1 / saving.time)} slower: depthwise-separable loses all of its saving"
    if saving.time < 1.05:
        return f"{fewer}, and no faster: depthwise-separable turns none of its saving into time"
    faster = f"{fewer}, {times(saving.time)} faster"
    if saving.kept >= 1.05 and noisy(study):
        return f"{faster} as measured: too disturbed to say what depthwise-separable saves"
    if saving.kept >= 1.05:
        return f"{faster}: depthwise-separable saves more time than MACs"
    if saving.kept >= 0.9:
        return f"{faster}: depthwise-separable turns nearly all of its saving into time"
    return f"{faster}: depthwise-separable turns {percent(saving.kept)} of its saving into time"


def explanation(study: Study) -> str:
    """Why the rest of the saving was lost: "because ..."; empty where little was, or nothing shows."""
    saving = study.saving(study[SEPARABLE])
    if saving.kept >= 0.9 or saving.macs < 1.05:
        return ""
    reasons = [reason for reason in (_normal_reason(study), _depthwise_reason(study)) if reason]
    return f"because {' and '.join(reasons)}" if reasons else ""


def noisy(study: Study) -> bool:
    """Whether the rounds differ so much that other work must have run meanwhile. The best round does
    not mend that: a call longer than a time slice of the system is interrupted in every round."""
    return study.spread > _NOISY


def caveat(study: Study) -> str:
    """What to hold against a disturbed measurement; empty for a quiet one."""
    if not noisy(study):
        return ""
    return (
        f"but other work disturbed the timing (rounds differ by {percent(study.spread)}): repeat it when idle"
    )


def _depthwise_reason(study: Study) -> str:
    """That the depthwise half takes more of the time than of the MACs, where it does."""
    if DEPTHWISE not in study:
        return ""
    half, whole = study[DEPTHWISE], study[SEPARABLE]
    macs, seconds = half.cost.macs / whole.cost.macs, half.seconds / whole.seconds
    if seconds < 1.5 * macs:
        return ""
    limit = half.limits(study.roofline)
    moving = "moving" if limit == "compute" else "because it moves"
    source = "" if limit == "compute" else f" from {_memory(limit)}"
    part = "nearly all" if seconds > 0.95 else percent(seconds)
    reach = percent(half.gflops / study.roofline.peak_gflops)
    per_flop = half.cost.bytes / half.cost.flops
    return (
        f"its depthwise half, {percent(macs)} of the MACs, takes {part} of the time: it reaches {reach} of the FMA "
        f"peak, {moving} {per_flop:.1f} bytes per FLOP{source}"
    )


def _normal_reason(study: Study) -> str:
    """That the normal convolution is no longer a plain sum, where it isn't."""
    if PLAIN not in study:
        return ""
    gain = study[PLAIN].seconds / study.normal.seconds
    if gain < 1.1:
        return ""
    return (
        f"the normal convolution saves too ({study.normal.algorithm}, {times(gain)} as fast as its plain sum)"
    )


def _memory(limit: str) -> str:
    return "DRAM" if limit == "DRAM" else f"the {limit} cache"


def paper_table(study: Study) -> Table:
    """What each convolution costs before anything runs."""
    table = _table("On paper", "", "parameters", "MACs", "bytes moved", "FLOP/byte", "fewer MACs")
    for row in study.rows:
        cost, saving = row.cost, study.saving(row)
        table.add_row(
            row.name,
            quantity(cost.parameters),
            quantity(cost.macs),
            quantity(cost.bytes, "B"),
            f"{cost.intensity:.1f}",
            "" if saving.macs == 1 else times(saving.macs),
        )
    return table


def measured_table(study: Study) -> Table:
    """What each convolution costs on this machine."""
    table = _table(
        "Measured",
        "",
        "algorithm",
        "best time",
        "median",
        "GFLOP/s",
        "of roofline",
        "bound by",
        "faster",
        "saving kept",
    )
    for row in study.rows:
        saving = study.saving(row)
        normal = row.name == NORMAL
        table.add_row(
            row.name,
            row.algorithm,
            quantity(row.seconds, "s"),
            quantity(row.timing.median, "s"),
            f"{row.gflops:.0f}" if row.gflops >= 10 else f"{row.gflops:.1f}",
            percent(row.roofline_share(study.roofline)),
            row.limits(study.roofline),
            "" if normal else times(saving.time),
            "" if normal or saving.macs < 1.01 else percent(saving.kept),
        )
    table.columns[1].justify = "left"
    return table


def roofline_table(roofline: Roofline) -> Table:
    """The ceilings of this machine."""
    table = _table("This machine", "", "holds", "read", "copy", "scale in place", "ridge (copy)")
    for level in LEVELS:
        holds = _binary(roofline.capacity[level]) if level in roofline.capacity else ""
        rates = [f"{roofline.bandwidth(level, kind):.0f} GB/s" for kind in ("read", "copy", "scale")]
        table.add_row(level, holds, *rates, f"{roofline.ridge(level):.1f} FLOP/byte")
    return table


def peaks_table(probe: Probe) -> Table:
    """FMA peak of each instruction set by number of threads."""
    counts = sorted({count for peaks in probe.peaks.values() for count in peaks})
    heads = [f"{count} thread{'s' * (count > 1)}" for count in counts]
    table = _table("FMA peak, GFLOP/s", "", *heads)
    for isa, peaks in probe.peaks.items():
        table.add_row(isa, *(f"{peaks[count]:.0f}" if count in peaks else "" for count in counts))
    return table


def steadiness(probe: Probe) -> str:
    """Clock, steal, load and page faults in a line."""
    clock = probe.clock
    parts = [f"clock {clock.median:.2f} GHz ({clock.low:.2f} to {clock.high:.2f})"]
    if probe.steal_share is not None:
        parts.append(f"steal {probe.steal_share * 100:.1f} %")
    if probe.load is not None:
        parts.append(f"load {probe.load:.1f}")
    if probe.page_fault_s is not None:
        pages = quantity(probe.page_fault_s * 2**20 / probe.page_bytes, "s")
        parts.append(f"first touch of a page {quantity(probe.page_fault_s, 's')} ({pages} a MiB)")
    busy = probe.load is not None and probe.load > (os.cpu_count() or 1)
    return ", ".join(parts) + ("; beside other work: repeat it when the machine is idle" if busy else "")


def _binary(size: int) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"


def machine_line(roofline: Roofline) -> str:
    threads = "1 thread" if roofline.threads == 1 else f"{roofline.threads} threads"
    return f"{roofline.cpu}, {roofline.isa}, {threads}: FMA peak {roofline.peak_gflops:.1f} GFLOP/s"


def conditions_line(study: Study) -> str:
    """The largest error, and what may have disturbed the timing."""
    worst = max(row.error for row in study.rows)
    parts = [f"largest error against float64 {worst:.1e} of the largest output"]
    conditions = study.conditions
    if conditions.steal_share is not None:
        parts.append(f"steal {conditions.steal_share * 100:.1f} %")
    if conditions.load_after is not None:
        parts.append(f"load {conditions.load_after:.1f}")
    return ", ".join(parts)


def _counting_line(study: Study) -> str:
    """What GFLOP/s and the share of the roofline count."""
    line = "FLOPs are those of the definition, 2 to a MAC; bytes are weights, source and destination once"
    if any(row.roofline_share(study.roofline) > 1 for row in study.rows):
        return f"{line}; a transform needs fewer FLOPs, so it may pass 100 % of the roofline"
    return line


def render(study: Study) -> RenderableType:
    """The whole report for a terminal."""
    return Group(
        paper_table(study),
        measured_table(study),
        Text(machine_line(study.roofline), style="dim"),
        Text(conditions_line(study), style="dim"),
        Text(_counting_line(study), style="dim"),
        Text(),
        Text(finding(study), style="bold"),
    )


def write_json(study: Study, path: Path) -> None:
    document = {"finding": finding(study), **study.as_dict()}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, justify="left", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table
