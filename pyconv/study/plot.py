"""The study as a picture: time against MACs, saving against saving, and the roofline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from pyconv.study import report
from pyconv.study.machine import LEVELS, Roofline
from pyconv.study.machine_probe import Probe
from pyconv.study.result import NORMAL, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Points = dict[str, tuple[float, float]]

# Okabe and Ito's palette, told apart with any colour vision; markers differ as well.
_INK, _GREY = "#222222", "#8a8a8a"
_STYLE: dict[str, tuple[str, str]] = {
    NORMAL: ("#222222", "s"),
    report.PLAIN: ("#8a8a8a", "D"),
    report.POINTWISE: ("#0072B2", "o"),
    report.DEPTHWISE: ("#E69F00", "v"),
    report.SPATIAL: ("#009E73", "^"),
    report.SEPARABLE: ("#D55E00", "P"),
}
# Where a name may stand from its point, best first: offset in points, alignment.
_SIDES = [
    (11, 0, "left"),
    (-11, 0, "right"),
    (8, -13, "left"),
    (-8, 13, "right"),
    (8, 13, "left"),
    (-8, -13, "right"),
]
_SIDES += [(0, 17, "center"), (0, -17, "center"), (8, 26, "left"), (-8, 26, "right"), (8, -26, "left")]
_RC: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
}


def draw(study: Study, path: Path) -> None:
    """Writes the picture to `path`, as PNG or whatever its suffix says."""
    with matplotlib.rc_context(_RC):
        layout = ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.1, rect=(0, 0.04, 1, 0.85))
        figure = Figure(figsize=(16, 7), layout=layout, facecolor="white")
        axes = figure.subplots(1, 3, width_ratios=[1, 1.05, 1.2])
        _time_against_macs(axes[0], study)
        _savings(axes[1], study)
        _roofline(axes[2], study)
        _texts(figure, study)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        _label_points(axes[0], study, _times(study))
        _label_points(axes[2], study, _rates(study))
        figure.savefig(path, dpi=150)


def draw_roofline(probe: Probe, path: Path) -> None:
    """The ceilings of a machine by level of memory, and the peaks of its other instruction sets."""
    roofline = probe.roofline
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(9, 6), layout="constrained", facecolor="white")
        axes = figure.subplots()
        left, right = 0.05, roofline.ridge("DRAM") * 4
        peaks = {isa: p[roofline.threads] for isa, p in probe.peaks.items() if roofline.threads in p}
        top = max([roofline.peak_gflops, *peaks.values()])
        axes.set(xscale="log", yscale="log", xlim=(left, right),
                 ylim=(left * roofline.bandwidth("DRAM") / 1.5, 2 * top))  # fmt: skip
        _ceilings(axes, roofline, left, right)
        for isa, peak in peaks.items():
            if abs(peak / roofline.peak_gflops - 1) > 0.05:
                axes.plot([peak / roofline.bandwidth("L1"), right], [peak] * 2, color=_GREY, linewidth=1, linestyle=":")
                axes.text(right, peak * 1.05, f"{isa} {peak:.0f} GFLOP/s", ha="right", fontsize=8, color=_GREY)
        axes.set(xlabel="arithmetic intensity, FLOP per byte", ylabel="GFLOP/s")
        axes.set_title(report.machine_line(roofline))
        axes.grid(True, which="major")
        figure.supxlabel(report.steadiness(probe), fontsize=8.5, color="#666666", x=0.01, ha="left")
        figure.savefig(path, dpi=150)


def _texts(figure: Figure, study: Study) -> None:
    figure.text(0.012, 0.968, report.headline(study), fontsize=17, fontweight="bold", color=_INK, va="top")
    figure.text(0.012, 0.912, _subtitle(study), fontsize=11.5, color="#555555", va="top")
    foot = (_subject(study), report.machine_line(study.roofline), report.conditions_line(study))
    figure.text(0.012, 0.014, "   |   ".join(foot), fontsize=8.5, color="#666666")


def _subtitle(study: Study) -> str:
    return "; ".join(text for text in (report.caveat(study), report.explanation(study)) if text)


def _times(study: Study) -> Points:
    return {row.name: (row.cost.macs, row.seconds * 1e3) for row in study.rows}


def _rates(study: Study) -> Points:
    return {row.name: (row.cost.intensity, row.gflops) for row in study.rows}


def _time_against_macs(axes: Axes, study: Study) -> None:
    """Each contender's time and MACs, and the line on which time falls as MACs do."""
    normal = study.normal
    macs = np.array([row.cost.macs for row in study.rows])
    ends = np.array([macs.min() / 2.2, macs.max() * 2.2])
    ideal = normal.seconds * 1e3 * ends / normal.cost.macs
    axes.loglog(ends, ideal, color=_GREY, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1)
    floor = 2 * ends / study.roofline.peak_gflops * 1e-6
    axes.loglog(ends, floor, color="#cfcfcf", linewidth=1.2, zorder=1)
    _draw_points(axes, _times(study))
    axes.set(xlabel="MACs", ylabel="time, ms", xlim=tuple(ends))
    axes.set_title("Time against MACs")
    axes.grid(True, which="major")
    handles = axes.lines[:2]
    axes.legend(handles, ["time falls as MACs do", "FMA peak"], loc="lower right", frameon=False, fontsize=9)
    lowest = min(ideal.min(), *(row.seconds * 1e3 for row in study.rows))
    axes.set_ylim(lowest / 2, max(row.seconds * 1e3 for row in study.rows) * 4)


def _savings(axes: Axes, study: Study) -> None:
    """For each contender how many times fewer MACs, and how many times faster."""
    rows = [row for row in study.rows if row.name not in (NORMAL, report.PLAIN)]
    rows.sort(key=lambda row: -study.saving(row).macs)
    most = 1.0
    for place, row in enumerate(rows):
        saving = study.saving(row)
        colour, _ = _STYLE[row.name]
        fewer = f"{report.times(saving.macs)} fewer MACs"
        faster = f"{report.times(saving.time)} faster, {report.percent(saving.kept)} kept"
        for offset, value, alpha, text in (
            (0.19, saving.macs, 0.32, fewer),
            (-0.19, saving.time, 1.0, faster),
        ):
            axes.barh(place + offset, value - 1, 0.36, left=1, color=colour, alpha=alpha, linewidth=0)
            axes.text(max(value, 1) * 1.08, place + offset, text, va="center", fontsize=9, color=_INK)
            most = max(most, value)
    axes.set_xscale("log")
    axes.set_xlim(min(1.0, *(study.saving(row).time for row in rows)) / 1.05, most * 6)
    axes.set_yticks(range(len(rows)), [row.name.replace(" ", "\n").replace("-", "-\n") for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.set(xlabel="times less than the normal convolution")
    axes.set_title("What is saved on paper, and in time")
    axes.grid(True, axis="x", which="major")


def _roofline(axes: Axes, study: Study) -> None:
    """The machine's ceilings, and where each contender stands under them."""
    roofline, points = study.roofline, _rates(study)
    left = min(0.2, *(x / 3 for x, _ in points.values()))
    right = max(roofline.ridge("DRAM") * 3, *(x * 3 for x, _ in points.values()))
    lowest = min(min(y for _, y in points.values()) / 2, left * roofline.bandwidth("DRAM"))
    highest = max(roofline.peak_gflops, *(y for _, y in points.values()))
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(lowest, highest * 2.5))
    _ceilings(axes, roofline, left, right)
    _draw_points(axes, points)
    if any(row.roofline_share(roofline) > 1 for row in study.rows):
        note = "Above the roof: a transform computes fewer\nFLOPs than the definition it is counted by."
        axes.text(left * 1.15, highest * 2.1, note, va="top", fontsize=8.5, color="#666666")
    axes.set(xlabel="arithmetic intensity, FLOP per byte", ylabel="GFLOP/s")
    axes.set_title("Under this machine's roofline")
    axes.grid(True, which="major")


def _ceilings(axes: Axes, roofline: Roofline, left: float, right: float) -> None:
    for level, shade in zip(LEVELS, ("#b0b0b0", "#969696", "#787878", "#555555")):
        _memory_ceiling(axes, roofline, level, shade, left)
    start = min(roofline.ridge(level) for level in LEVELS)
    axes.plot([start, right], [roofline.peak_gflops] * 2, color="#555555", linewidth=1.3, zorder=1)
    peak = f"{roofline.isa} FMA peak {roofline.peak_gflops:.0f} GFLOP/s"
    axes.text(right, roofline.peak_gflops * 1.05, peak, ha="right", fontsize=8, color="#555555")


def _memory_ceiling(axes: Axes, roofline: Roofline, level: str, shade: str, left: float) -> None:
    bandwidth, ridge = roofline.bandwidth(level), roofline.ridge(level)
    ends = ([left, ridge], [left * bandwidth, roofline.peak_gflops])
    axes.plot(*ends, color=shade, linewidth=1.3, zorder=1)
    axes.text(
        left * 1.08,
        left * 1.08 * bandwidth * 1.08,
        f"{level} {bandwidth:.0f} GB/s",
        rotation=float(np.degrees(np.arctan(bandwidth))),
        rotation_mode="anchor",
        transform_rotates_text=True,
        fontsize=8,
        color=shade,
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )


def _draw_points(axes: Axes, points: Points) -> None:
    for name, (x, y) in points.items():
        colour, marker = _STYLE[name]
        axes.plot([x], [y], marker, color=colour, markersize=11, markeredgecolor="white", zorder=3)


def _label_points(axes: Axes, study: Study, points: Points) -> None:
    """Writes each name beside its point where it covers no point and no other name."""
    frame = axes.get_window_extent()
    places = {name: axes.transData.transform(point) for name, point in points.items()}
    unit = axes.figure.dpi / 72
    taken = [Bbox.from_bounds(x - 7 * unit, y - 7 * unit, 14 * unit, 14 * unit) for x, y in places.values()]
    taken += [text.get_window_extent() for text in axes.texts]
    for row in study.rows:
        best, least = None, float("inf")
        for dx, dy, align in _SIDES:
            text = axes.annotate(
                row.name,
                points[row.name],
                xytext=(dx, dy),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=9.5,
                fontweight="bold",
                color=_STYLE[row.name][0],
                path_effects=[withStroke(linewidth=3, foreground="white")],
                zorder=4,
            )
            extent = text.get_window_extent()
            outside = not (frame.x0 <= extent.x0 and extent.x1 <= frame.x1)
            crowding = sum(extent.overlaps(other) for other in taken) + 4 * outside
            if crowding < least:
                if best is not None:
                    best.remove()
                best, least = text, crowding
            else:
                text.remove()
        if best is not None:
            taken.append(best.get_window_extent())


def _subject(study: Study) -> str:
    settings: dict[str, Any] = dict(study.settings)
    return (
        f"{settings['channels']} channels of {settings['height']} x {settings['width']} from a photograph, "
        f"{settings['filters']} filters of {settings['kernel']} x {settings['kernel']}, "
        f"accuracy {settings['accuracy']}."
    )
