"""What `pyconv study factorize` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from pyconv.commands.tables import short
from pyconv.commands.tables import table as made
from pyconv.study.approximate import Approximation
from pyconv.study.approximate_words import rank_text
from pyconv.study.effective_field import EffectiveField
from pyconv.study.gains import Gain, Gains, by_name
from pyconv.study.units import percent, quantity, times


def approximation_table(found: Approximation, measured: Gains | None) -> Table:
    """Layer by layer, the whole network last."""
    errors = any(layer.output_error is not None for layer in found.layers)
    columns = ["layer", "method", "rank", "parameters", "MACs", "fewer MACs", "error of weights"]
    columns += ["of outputs"] if errors else []
    columns += ["time", "faster"] if measured else []
    rows = made("", *columns, left=2)
    known = by_name(measured)
    for layer in found.layers:
        cells: list[str | Text] = [
            Text(short(layer.name)),
            layer.factors.method,
            rank_text(layer),
            _arrow(*(quantity(n) for n in layer.parameters)),
            _arrow(*(quantity(n) for n in layer.macs)),
            times(layer.macs[0] / layer.macs[1]),
            percent(layer.factors.error),
        ]
        cells += [percent(layer.output_error or 0.0)] if errors else []
        rows.add_row(*cells, *(_times(known.get(layer.name)) if measured else []))
    rows.add_section()
    whole = ["all", "", "", _arrow(*(quantity(n) for n in found.parameters))]
    whole += [_arrow(*(quantity(n) for n in found.macs)), times(found.macs[0] / found.macs[1]), ""]
    whole += [""] if errors else []
    rows.add_row(*whole, *(_times(measured.whole) if measured else []))
    return rows


def _arrow(before: str, after: str) -> str:
    return f"{before} to {after}"


def _times(gain: Gain | None) -> list[str]:
    if gain is None:
        return ["", ""]
    seconds = (quantity(t.minimum, "s") for t in (gain.before, gain.after))
    return [_arrow(*seconds), times(gain.ratio)]


def fields_table(name: str, fields: Sequence[EffectiveField]) -> Table:
    """Receptive fields by the kernels' sizes and by measurement."""
    rows = made(
        f"{name}: what the output in the middle sees",
        "layer", "output", "by the kernels", "in the picture", "95 % of what counts", "share", "spread",
        left=1,
    )  # fmt: skip
    for found in fields:
        sizes = [(found.reach.height, found.reach.width), (found.box.height, found.box.width)]
        rows.add_row(
            Text(short(found.layer)),
            "x".join(map(str, found.shape[1:])),
            "x".join(f"{side:g}" for side in found.theory),
            *(f"{height}x{width}" for height, width in sizes),
            percent(found.share),
            "x".join(f"{side:.1f}" for side in found.sigma),
        )
    return rows
