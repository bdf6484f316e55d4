"""What `pyconv explain` and `pyconv zoo` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyconv.study.report import percent, quantity, times

_LAYERS_NAMED = 3
_FUSIONS_NAMED = 6
_LONGEST = 36
WIDE = 200
"""Characters that the table of layers takes with all its columns."""


def table(title: str, *columns: str, left: int = 1) -> Table:
    """With the first `left` columns aligned on the left."""
    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        made.add_column(column, justify="left" if i < left else "right", no_wrap=i == 0)
    return made


def short(name: str) -> str:
    """The end of a long name, which is what tells layers apart.

    >>> short("/features/features.8/conv/conv.1/conv.1.0/Conv")
    '...tures.8/conv/conv.1/conv.1.0/Conv'
    """
    return name if len(name) <= _LONGEST else "..." + name[3 - _LONGEST :]


def explained(
    found: dict[str, Any], name: str, *, everything: bool = False, width: int = WIDE
) -> RenderableType:
    """`pyconv.explain.explain`'s dict for a terminal `width` characters wide; `everything`: no list is cut
    short."""
    parts: list[RenderableType] = [layers_table(found, name, width >= WIDE)]
    if "seconds" in found["totals"]:
        parts.append(profile_table(found))
    parts += [Text("Fusions", style="bold"), *_fusions(found["rewrites"], everything), Text()]
    if found["refused"]:
        parts += [
            Text("Refused", style="bold"),
            *(_refusal(group, everything) for group in found["refused"]),
            Text(),
        ]
    if found["dearer"]:
        parts.append(dearer_table(found["dearer"]))
    return Group(*parts, Text(totals_line(found), style="bold"))


def layers_table(found: dict[str, Any], name: str, wide: bool = True) -> Table:
    """Unless `wide`, without bytes and lifetimes."""
    options = found["options"]
    title = f"{name}: {_shapes(found['inputs'])} -> {_shapes(found['outputs'])}, {options['accuracy']}, {found['isa']}"
    moved = ("read", "written", "weights") if wide else ()
    made = table(
        title,
        *("layer", "", "output", "sees", "parameters", "MACs", *moved, "algorithm", "lies at"),
        *(("during",) if wide else ()),
        left=3,
    )
    for index, layer in enumerate(found["layers"]):
        memory = layer["memory"]
        made.add_row(
            Text(f"{index:>3} {short(layer['name'])}"),
            _operator(layer),
            "x".join(map(str, layer["output"]["shape"])),
            _sees(layer["receptive_field"]),
            quantity(layer["parameters"]) if layer["parameters"] else "",
            quantity(layer["macs"]) if layer["macs"] else "",
            *(quantity(layer["bytes"][key], "B") if layer["bytes"][key] else "" for key in moved),
            Text("\n".join(part for part in (layer["algorithm"], layer["kernels"]) if part)),
            _place(memory),
            *((f"{memory['first']}-{memory['last']}",) if wide else ()),
        )
    for column in made.columns:
        if column.header in ("algorithm", "lies at"):
            column.justify = "left"
    return made


def _shapes(tensors: Sequence[dict[str, Any]]) -> str:
    return ", ".join("x".join(map(str, t["shape"])) for t in tensors)


def _operator(layer: dict[str, Any]) -> str:
    added = " + add" if layer["residual"] else ""
    activation = "" if layer["activation"] == "none" else f" + {layer['activation']}"
    return f"{layer['op']}{added}{activation}"


def _sees(field: dict[str, Any] | None) -> str:
    if field is None:
        return ""
    sizes = [f"{size:g}" for size in field["size"]]
    return "x".join(sizes)


def _place(memory: dict[str, Any]) -> str:
    """Arena bytes, or the caller's array; the distance of pixels where they stand among others."""
    among = f", every {memory['pixel_stride']} floats" if memory["pixel_stride"] else ""
    if memory["space"] != "arena":
        return f"{memory['space']}{among}"
    return f"{memory['offset']} + {memory['bytes']}{among}"


def profile_table(found: dict[str, Any]) -> Table:
    whole = found["totals"]["seconds"]
    made = table(
        "Measured",
        "layer",
        "",
        "algorithm",
        "median",
        "best",
        "of the time",
        "GFLOP/s",
        "of FMA peak",
        left=3,
    )
    for index, layer in enumerate(found["layers"]):
        p = layer["profile"]
        made.add_row(
            Text(f"{index:>3} {short(layer['name'])}"),
            _operator(layer),
            layer["algorithm"],
            quantity(p["seconds"], "s"),
            quantity(p["best"], "s"),
            percent(p["seconds"] / whole) if whole else "",
            f"{p['gflops']:.1f}" if p["gflops"] else "",
            percent(p["peak_share"]) if p["peak_share"] else "",
        )
    macs, peak = found["totals"]["macs"], found.get("peak_gflops")
    rate = 2e-9 * macs / whole if whole else 0.0
    made.add_section()
    made.add_row(
        "all", "", "", quantity(whole, "s"), "", "", f"{rate:.1f}", percent(rate / peak) if peak else ""
    )
    return made


def _fusions(rewrites: Sequence[dict[str, str]], everything: bool) -> list[Text]:
    by_pass: dict[str, list[str]] = {}
    for rewrite in rewrites:
        by_pass.setdefault(rewrite["pass"], []).append(rewrite["text"])
    if not by_pass:
        return [Text("none")]
    lines = []
    for name, texts in by_pass.items():
        shown = texts if everything or len(texts) <= _FUSIONS_NAMED else texts[: _FUSIONS_NAMED - 1]
        more = [] if len(shown) == len(texts) else [f"... and {len(texts) - len(shown)} more (--all)"]
        lines += [Text(f"{name} ({len(texts)})"), *(Text(f"  {line}") for line in (*shown, *more))]
    return lines


def _refusal(group: dict[str, Any], everything: bool) -> Text:
    names, reasons = group["layers"], group["reasons"]
    most = len(names) if everything else _LAYERS_NAMED
    shown = ", ".join(map(short, names[:most])) + (", ..." if len(names) > most else "")
    such = "" if len(reasons) == 1 else " (and alike)"
    layers = "1 layer" if len(names) == 1 else f"{len(names)} layers"
    return Text(f"{', '.join(group['algorithms'])}: {reasons[0]}{such}; {layers}: {shown}")


def dearer_table(groups: Sequence[dict[str, Any]]) -> Table:
    """Estimated cost relative to that of the algorithm taken, over the layers that could have it."""
    made = table("Accepted, and not taken", "algorithm", "layers", "least", "median", "most")
    for group in groups:
        costs = [times(group[key]) for key in ("least", "median", "most")]
        made.add_row(group["algorithm"], str(group["layers"]), *costs)
    return made


def totals_line(found: dict[str, Any]) -> str:
    totals = found["totals"]
    activations = totals["activation_bytes"]
    share = f", {percent(totals['arena_bytes'] / activations)} of" if activations else " against"
    return (
        f"{quantity(totals['parameters'])} parameters, {quantity(totals['macs'])} MACs; "
        f"arena {quantity(totals['arena_bytes'], 'B')}{share} the {quantity(activations, 'B')} of all activations, "
        f"with scratch of at most {quantity(totals['workspace_bytes'], 'B')}; "
        f"weights in memory {quantity(totals['weight_bytes'], 'B')}"
    )


def zoo_table(rows: Sequence[dict[str, Any]]) -> Table:
    made = table("", "network", "parameters", "MACs", "input", "source")
    for row in rows:
        made.add_row(
            row["name"],
            quantity(row["parameters"]),
            quantity(row["macs"]),
            "x".join(map(str, row["input_shape"])),
            row["source"],
        )
    made.columns[-1].justify = "left"
    return made
