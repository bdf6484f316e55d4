"""An effective receptive field beside the theoretical one, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pyconv.study.effective_field import Box, EffectiveField
from pyconv.study.factorize_plot import GREY, INK, ORANGE, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DARKEST = 1e-4
"""Of the largest: what counts less is drawn as nothing."""


def draw(found: EffectiveField, path: Path) -> None:
    """How much each pixel counts, with the box that the kernels' sizes allow and the box of 95 %; beside it the
    sums along rows and columns with the Gaussians of the same spread."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(13, 5.6), layout="constrained", facecolor="white")
        figure.suptitle(
            found.sentence, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK, wrap=True
        )
        left, right = figure.subplots(1, 2)
        share = found.map / found.map.max()
        shown = left.imshow(
            np.log10(np.maximum(share, _DARKEST)),
            cmap="viridis", interpolation="nearest", vmin=np.log10(_DARKEST), vmax=0,
        )  # fmt: skip
        bar = figure.colorbar(shown, ax=left, shrink=0.85)
        ticks = np.arange(np.log10(_DARKEST), 1)
        bar.set_ticks(list(ticks), labels=[f"{100 * 10**t:g} %" for t in ticks])
        bar.set_label("counts, of the most important pixel")
        _box(left, found.reach, "white", "--", "can matter")
        _box(left, found.box, ORANGE, "-", "95 % of what does")
        left.legend(loc="upper right", fontsize=9, facecolor="#444444", labelcolor="white")
        left.set_title("Pixels of the input")
        _profiles(right, found)
        figure.savefig(path, dpi=140)


def _box(axes: Axes, box: Box, colour: str, style: str, label: str) -> None:
    corner = (box.left - 0.5, box.top - 0.5)
    axes.add_patch(
        Rectangle(
            corner, box.width, box.height, fill=False, color=colour, linestyle=style, label=label, lw=1.6
        )
    )


def _profiles(axes: Axes, found: EffectiveField) -> None:
    for side, sigma, colour, name in (
        (found.map.sum(axis=1), found.sigma[0], ORANGE, "rows"),
        (found.map.sum(axis=0), found.sigma[1], "#0072B2", "columns"),
    ):
        places = np.arange(len(side))
        middle = float((places * side).sum())
        axes.plot(places, side, color=colour, label=f"{name}, spread {sigma:.1f} pixels")
        bell = np.exp(-0.5 * ((places - middle) / max(sigma, 1e-9)) ** 2)
        axes.plot(places, bell / bell.sum(), color=GREY, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set(xlabel="row or column of the input", ylabel="share of what counts")
    axes.set_title("Beside a Gaussian of the same spread")
    axes.grid(True)
    axes.legend(frameon=False)
