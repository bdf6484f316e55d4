"""What taking convolutions apart saves, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

from pyconv.study.approximate import Approximation
from pyconv.study.gains import Gains
from pyconv.study.lab import ALIKE, PLAIN, Lab
from pyconv.study.lab_body import Body
from pyconv.study.lab_network import NetworkLab
from pyconv.study.units import quantity, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette.
INK, GREY, BLUE, ORANGE = "#222222", "#8a8a8a", "#0072B2", "#D55E00"
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
}


def approximation(found: Approximation, measured: Gains | None, sentence: str, path: Path) -> None:
    """Layers before and after, in MACs and in time, as PNG or whatever the suffix of `path` says."""
    names = [layer.name for layer in found.layers]
    macs = [tuple(n / 1e6 for n in layer.macs) for layer in found.layers]
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(14, 2.4 + 0.34 * max(4, len(names))), layout="constrained", facecolor="white"
        )
        figure.suptitle(sentence, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK, wrap=True)
        axes = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
        _pairs(axes[0], names, macs, "MACs, in millions", "On paper")
        if measured is not None:
            gains = measured.layers
            times = [(g.before.minimum * 1e6, g.after.minimum * 1e6) for g in gains]
            _pairs(axes[1], [" + ".join(g.names) for g in gains], times, "time, in µs", "Measured")
        figure.savefig(path, dpi=140)


def _pairs(
    axes: Axes, names: Sequence[str], values: Sequence[Sequence[float]], label: str, title: str
) -> None:
    """Two bars for each name, the first on top: as it was, as it has become."""
    places = range(len(names))
    for offset, side, colour, what in ((-0.2, 0, GREY, "layer"), (0.2, 1, BLUE, "chain")):
        heights = [p + offset for p in places]
        axes.barh(heights, [v[side] for v in values], 0.38, color=colour, linewidth=0, label=what)
    axes.set_yticks(list(places), list(names))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel=label)
    axes.set_title(title)
    axes.grid(True, axis="x")
    axes.legend(frameon=False, loc="lower right")


def layer(lab: Lab, path: Path) -> None:
    """Each kind's saving in MACs beside that in time, against the layer and against its plain sum."""
    rows = [row for row in lab.rows[1:] if row.name != PLAIN]
    bars = [
        ("fewer MACs", GREY, [lab.mac_ratio(row) for row in rows]),
        ("faster than its plain sum", BLUE, [lab.time_ratio(row, PLAIN) for row in rows]),
        ("faster than the layer at its best", ORANGE, [lab.time_ratio(row) for row in rows]),
    ]
    normal = lab.rows[0]
    title = f"In place of {lab.problem} ({normal.algorithm}, {quantity(normal.best_s, 's')})"
    _ratios(bars, [row.name for row in rows], title, lab.roofline.cpu, path)


def body(found: Body, path: Path) -> None:
    """Each part's saving in MACs beside that in time."""
    parts = [part for part in found.parts if part.macs[0] and part.macs[1] > part.macs[0]]
    bars = [
        ("fewer MACs", GREY, [part.mac_ratio for part in parts]),
        ("fewer MACs executed", BLUE, [part.executed_ratio for part in parts]),
        ("faster", ORANGE, [part.time_ratio for part in parts]),
    ]
    _ratios(bars, [part.name for part in parts], found.sentence, "", path)


def _ratios(
    bars: Sequence[tuple[str, str, Sequence[float]]], names: Sequence[str], title: str, foot: str, path: Path
) -> None:
    with matplotlib.rc_context(STYLE):
        figure = Figure(
            figsize=(11, 1.8 + 0.62 * max(3, len(names))), layout="constrained", facecolor="white"
        )
        axes = figure.subplots()
        height = 0.8 / len(bars)
        for i, (label, colour, values) in enumerate(bars):
            places = [place + (i - (len(bars) - 1) / 2) * height for place in range(len(names))]
            widths = [value - 1 for value in values]
            axes.barh(places, widths, 0.92 * height, left=1, color=colour, linewidth=0, label=label)
            for place, value in zip(places, values):
                axes.text(max(value, 1) * 1.03, place, times(value), va="center", fontsize=8, color=INK)
        axes.set_xscale("log")
        every = [value for _, _, values in bars for value in values] or [1.0]
        axes.set_xlim(min(0.9, *every) / 1.1, max(1.1, *every) * 1.6)
        axes.axvline(1, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(names)), list(names))
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
        axes.set(xlabel=f"times less than the layer{'; ' + foot if foot else ''}")
        axes.grid(True, axis="x")
        axes.legend(frameon=False, loc="lower right")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK, wrap=True)
        figure.savefig(path, dpi=140)


def network(found: NetworkLab, path: Path) -> None:
    """Every layer and kind: how many times fewer MACs, and how many times as fast."""
    markers = dict(zip(ALIKE, ((BLUE, "o"), (ORANGE, "v"), ("#009E73", "^"), ("#CC79A7", "s"))))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 7), layout="constrained", facecolor="white")
        axes = figure.subplots()
        most = 1.0
        for kind in found.kinds:
            pairs = [
                (lab.mac_ratio(row), lab.time_ratio(row))
                for lab in found.labs.values()
                for row in lab.rows
                if row.name == kind
            ]
            colour, marker = markers[kind]
            axes.plot(
                [x for x, _ in pairs], [y for _, y in pairs], marker, color=colour, label=kind, alpha=0.8
            )
            most = max(most, *(x for x, _ in pairs), *(y for _, y in pairs))
        axes.plot([1, most], [1, most], color=GREY, linestyle=(0, (5, 3)), label="time falls as MACs do")
        axes.axhline(1, color=INK, linewidth=0.8)
        axes.set(xscale="log", yscale="log", xlabel="times fewer MACs", ylabel="times as fast as the layer")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}x")
        axes.grid(True)
        axes.legend(frameon=False, loc="upper left")
        figure.suptitle(found.sentence, x=0.01, ha="left", fontsize=10, color=INK, wrap=True)
        figure.savefig(path, dpi=140)
