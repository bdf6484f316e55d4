"""A network's study as one HTML page that needs nothing else: no network, no files, no libraries.

`render` takes what `pyconv.study.network.Network.as_dict` gives, so a stored JSON will do. Whatever comes
from the network is escaped, and the page's own policy forbids it to load anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from pyconv.study import network_pair, page_charts, page_tables
from pyconv.study.machine import Roofline
from pyconv.study.page_style import SCRIPT, STYLE
from pyconv.study.units import percent, quantity, times

Document = Mapping[str, Any]
_LAYERS = (
    "Click a heading to sort. “Executed” are the MACs of the algorithm, “bytes by level” where sources, "
    "destination and weights lie, “of roofline” the bound over the best round."
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Page:
    """A page's text, shown in notebooks."""

    html: str

    def save(self, path: str | os.PathLike[str]) -> None:
        Path(path).write_text(self.html, encoding="utf-8")

    def _repr_html_(self) -> str:
        """In a frame, so that its style stays its own."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" style="width:100%;height:48em;border:0" '
            'sandbox="allow-scripts"></iframe>'
        )


def render(document: Document, against: Document | None = None) -> Page:
    """The page of a network; with `against`, also beside another one, as a factorised network beside the
    one it stands for. Both were measured, or neither was (ValueError otherwise)."""
    title = f"{document['name']} on {document['roofline']['cpu']}"
    body = [
        _opening(document),
        _section("Roofline", _figure(page_charts.roofline(document), _roofline_words(document))),
        _section("Predicted against measured", _figure(page_charts.bars(document), _bars_words(document))),
        _against(document, against) if against is not None else _kinds(document),
        _engines(document),
        _section("What costs time in this network", _findings(document)),
        _section("Layers", f"<p>{_LAYERS}</p><div class='broad'>{page_tables.layers(document)}</div>"),
        _section("Memory", _figure(page_charts.arena(document), _arena_words(document))),
        _section(
            "Algorithms",
            f"<p>{_algorithm_words(document)}</p>{page_tables.algorithms(document)}{page_tables.errors(document)}",
        ),
        _ladder(document),
        _section("Refused", page_tables.refusals(document)),
        _footer(document),
    ]
    data = json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")
    return Page(
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{''.join(body)}"
        f'<script type="application/json" id="document">{data}</script>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{caption}</figcaption></figure>"


def _opening(document: Document) -> str:
    totals, machine = document["totals"], document["roofline"]
    timing = totals["timing"]
    tiles = [
        ("MACs", quantity(totals["macs"])),
        ("executed", quantity(totals["executed_macs"])),
        ("parameters", quantity(totals["parameters"])),
        ("roofline allows", quantity(totals["bound_s"], "s")),
        ("predicted", quantity(totals["predicted_s"], "s")),
    ]
    if timing:
        tiles += [
            ("best run", quantity(timing["min_s"], "s")),
            ("median", quantity(timing["median_s"], "s")),
            ("of roofline", percent(totals["bound_s"] / timing["min_s"])),
        ]
    tiles += [
        ("arena", quantity(totals["arena_bytes"], "B")),
        ("weights", quantity(totals["weight_bytes"], "B")),
    ]
    boxes = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in tiles)
    shapes = " · ".join(
        f"{escape(name)} {'x'.join(map(str, shape))}"
        for name, shape in {**document["inputs"], **document["outputs"]}.items()
    )
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    images = document["images"]
    batch = (
        f" · the {images} images of a batch run one by one: all figures are those of one"
        if images > 1
        else ""
    )
    return (
        f'<header><h1>{escape(document["name"])}</h1><p class="lead">{escape(document["sentence"])}</p>'
        f'<p class="dim">{shapes} · {escape(machine["cpu"])}, {escape(machine["isa"])}, {threads}, '
        f"accuracy {escape(document['options']['accuracy'])}{batch}</p><dl>{boxes}</dl></header>\n"
    )


def _legend(*kinds: str) -> str:
    return " ".join(f'<span class="key"><i class="swatch {kind}"></i>{escape(kind)}</span>' for kind in kinds)


def _roofline_words(document: Document) -> str:
    limits = [k for k in ("compute", "L1", "L2", "L3", "DRAM") if any(
        layer["limit"] == k for layer in document["layers"])]  # fmt: skip
    how = "measured" if document["totals"]["timing"] else "predicted (hollow)"
    return (
        f"One mark per layer that multiplies, areas by time, rates {how}; circles are convolutions, squares 1x1, "
        "triangles depthwise, diamonds fully connected. FLOPs are the executed ones (2 per MAC), so Winograd stays "
        f"under the roof too; bytes are the operands once. Numbers are those of the dearest layers "
        f"in the table below. Colour says what binds: {_legend(*limits)}."
    )


def _bars_words(document: Document) -> str:
    count = len(document["layers"])
    some = f" The {page_charts.MOST_BARS} dearest of {count} steps." if count > page_charts.MOST_BARS else ""
    what = (
        "Bars are the best of the rounds with their share of the roofline,"
        if document["totals"]["timing"]
        else "Nothing was measured: bars are predictions,"
    )
    return (
        f"{what} the upright tick what the roofline allows, the dot what the algorithm's own estimate says "
        f"(or the roofline, where there is none).{some}"
    )


def _against(document: Document, other: Document) -> str:
    parts = network_pair.parts(document, other)
    words = escape(network_pair.sentence(document, other, parts))
    shown = [part for part in parts if all(part.macs)]
    caption = (
        f"{escape(other['name'])} over {escape(document['name'])}, part by part: open circles are the ratio of MACs, "
        "ticks that of the MACs which the algorithms execute, full circles that of time. Where circle and dot "
        "meet, the whole saving is a saving of time. Layers fused across parts are taken together."
    )
    figure = _figure(page_charts.ratios([*shown, network_pair.whole(parts)]), caption)
    return _section(f"Against {other['name']}", f'<p class="lead">{words}</p>{figure}')


def _kinds(document: Document) -> str:
    """Kinds of one layer against the one that it usually is."""
    if not document.get("rival"):
        return ""
    from pyconv.study import kinds

    caption = (
        f"Over the {escape(document['rival'])} convolution, which runs its best algorithm too: open circles are the "
        "ratio of MACs, ticks that of the MACs which the algorithms execute, full circles that of time. Where circle "
        "and dot meet, the whole saving is a saving of time."
    )
    return _section("MACs against time", _figure(page_charts.ratios(kinds.parts(document)), caption))


def _engines(document: Document) -> str:
    """Other engines on the same network, where some were run."""
    peers = document.get("peers") or []
    timed = [peer for peer in peers if "median_s" in peer]
    if len(timed) < 2:
        return ""
    own, *others = timed
    best = min(others, key=lambda peer: float(peer["median_s"]))
    ratio = best["median_s"] / own["median_s"]
    rank = f"{times(ratio)} as fast as" if ratio >= 1 else f"{times(1 / ratio)} as slow as"
    words = (
        f"{own['name']} takes {quantity(own['median_s'], 's')}, {rank} the best of "
        f"{len(others)} other engine{'s' * (len(others) > 1)}, {best['name']} with {quantity(best['median_s'], 's')}."
    )
    left = "".join(
        f" {escape(peer['name'])} was left out: {escape(peer['reason'])}." for peer in peers if "reason" in peer
    )
    caption = (
        "Medians of interleaved rounds, the line from the best round to half the interquartile range above the median. "
        f"Every engine was given the same graph and weights, and its result compared with ours in exact mode.{left}"
    )
    return _section("Other engines", f"<p>{escape(words)}</p>{_figure(page_charts.engines(timed), caption)}")


def _ladder(document: Document) -> str:
    if not document.get("ladder"):
        return ""
    climbed = document["ladder"]
    first, last = climbed["rungs"][0], min(climbed["rungs"], key=lambda rung: float(rung["seconds"]))
    words = (
        f"{climbed['layer']} ({climbed['problem']}, {quantity(climbed['macs'])} MACs) takes "
        f"{quantity(first['seconds'], 's')} by {first['name']} and {quantity(last['seconds'], 's')} by {last['name']}, "
        f"{times(first['seconds'] / last['seconds'])} as fast."
    )
    caption = (
        "GFLOP/s of the definition, so Winograd may pass the FMA peak (the upright line), and the gain over the rung "
        "above; one thread, warm caches. The slowest rungs were run on a piece and their time multiplied."
    )
    return _section("The ladder", f"<p>{escape(words)}</p>{_figure(page_charts.ladder(document), caption)}")


def _findings(document: Document) -> str:
    if not document["findings"]:
        return '<p class="dim">No rule was broken: channels fill the vectors, everything that can be fused is.</p>'
    items = "".join(f"<li>{escape(finding['text'])}</li>" for finding in document["findings"])
    return f"<ul>{items}</ul>"


def _arena_words(document: Document) -> str:
    totals = document["totals"]
    alive, step = page_charts.most_alive(document)
    every = sum(b["bytes"] for b in page_charts.buffers(document))
    return (
        f"Every tensor of a run by the steps that it lives through and its place in the arena of "
        f"{quantity(totals['arena_bytes'], 'B')}; grey is scratch. Step {step} needs the most at once, "
        f"{quantity(alive, 'B')}; all buffers apart would take {quantity(every, 'B')}."
    )


def _algorithm_words(document: Document) -> str:
    if document["totals"]["timing"]:
        return (
            "Times over that of the algorithm taken, medians of rounds by turns within the whole network; "
            "“est.” where nothing was run, for want of hope or of time. Hover for scratch, prediction, spread, error."
        )
    return "Estimated costs over that of the algorithm taken. Hover for scratch and prediction."


def _footer(document: Document) -> str:
    machine = Roofline(**document["roofline"])
    levels = ", ".join(
        f"{level} {machine.bandwidth(level, 'read'):.0f} GB/s" for level in ("L1", "L2", "L3", "DRAM")
    )
    parts = [f"FMA peak {machine.peak_gflops:.0f} GFLOP/s; reading {levels}"]
    conditions = document["conditions"]
    if conditions:
        if conditions["steal_share"] is not None:
            parts.append(f"steal {percent(conditions['steal_share'])}")
        if conditions["load_after"] is not None:
            parts.append(f"load {conditions['load_after']:.1f}")
    words = "; ".join(parts)
    return f'<footer><p class="dim">{escape(words)}. The levels that operands come from are estimated.</p></footer>'
