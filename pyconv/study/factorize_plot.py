"""What taking convolutions apart saves, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure

from pyconv.study.approximate import Approximation
from pyconv.study.gains import Gains

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
