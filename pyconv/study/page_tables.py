"""The tables of a page. Every number stands in its cell as the document has it, in `data-v`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from statistics import median
from typing import Any

from pyconv.explain import refused
from pyconv.study.machine import LEVELS
from pyconv.study.units import percent, quantity, times

Document = Mapping[str, Any]
_BETTER = 0.95

# Heading, where its value stands in a layer's document, and its unit; "%" for shares, "" for counts.
_TIMES = (
    ("best", ("timing", "min_s"), "s"),
    ("predicted", ("predicted_s",), "s"),
    ("bound", ("bound_s",), "s"),
    ("of roofline", ("share",), "%"),
    ("GFLOP/s", ("executed_gflops",), ".1f"),
)
_COUNTS = (
    ("MACs", ("macs",), ""),
    ("executed", ("executed_macs",), ""),
    ("on padding", ("padding_macs",), ""),
    ("FLOP/byte", ("intensity",), ".1f"),
    ("bytes", ("bytes",), "B"),
    ("parameters", ("parameters",), ""),
    ("scratch", ("workspace_bytes",), "B"),
    ("median", ("timing", "median_s"), "s"),
    ("spread", ("timing", "iqr_s"), "s"),
)
Column = tuple[str, tuple[str, ...], str]


def value(layer: Document, path: Sequence[str]) -> Any:
    found: Any = layer
    for key in path:
        found = None if found is None else found[key]
    return found


def layers(document: Document) -> str:
    """All layers, to be sorted by any column. Columns that nobody measured are left out."""
    timed, counted = (
        [c for c in columns if any(value(layer, c[1]) is not None for layer in document["layers"])]
        for columns in (_TIMES, _COUNTS)
    )
    heads = [("#", "number"), *((head, "left") for head in ("layer", "operator", "algorithm", "output")),
             *((c[0], "number") for c in timed), ("binds", "left"), ("bytes by level", "left"),
             *((c[0], "number") for c in counted)]  # fmt: skip
    bodies = "".join(
        f"<tbody><tr>{_layer(layer, timed, counted)}</tr>"
        f'<tr class="words"><td></td><td colspan="{len(heads) - 1}">{escape(layer["sentence"])}</td></tr></tbody>'
        for layer in document["layers"]
    )
    return _table([_head(*head) for head in heads], bodies, "sortable layers")


def _head(words: str, kind: str) -> str:
    return f'<th scope="col" class="{kind}" data-kind="{kind}"><button type="button">{escape(words)}</button></th>'


def _table(heads: Sequence[str], bodies: str, kind: str) -> str:
    return f'<div class="wide"><table class="{kind}"><thead><tr>{"".join(heads)}</tr></thead>{bodies}</table></div>'


def _layer(layer: Document, timed: Sequence[Column], counted: Sequence[Column]) -> str:
    index = layer["index"]
    levels = ", ".join(f"{level} {quantity(size, 'B')}" for level, size in by_level(layer).items())
    operands = ", ".join(f"{t['kind']} {quantity(t['bytes'], 'B')} {t['level']}" for t in layer["traffic"])
    return "".join(
        [
            f'<td data-v="{index}">{index}</td>',
            _words(layer["name"]),
            _words(layer["op"]),
            _words(layer["algorithm"]),
            _words("x".join(map(str, layer["shape"]))),
            *(_number(value(layer, path), unit) for _, path, unit in timed),
            f'<td class="left">{escape(layer["limit"])}</td>',
            f'<td class="left" title="{escape(operands)}">{escape(levels)}</td>',
            *(_number(value(layer, path), unit) for _, path, unit in counted),
        ]
    )


def by_level(layer: Document) -> dict[str, int]:
    """Bytes that the layer moves, by the level of memory that they come from or go to, nearest first."""
    found: dict[str, int] = {}
    for t in layer["traffic"]:
        found[t["level"]] = found.get(t["level"], 0) + t["bytes"]
    return {level: found[level] for level in LEVELS if level in found}


def _words(words: str) -> str:
    return f'<td class="left">{escape(words)}</td>'


def _number(found: Any, unit: str) -> str:
    if found is None:
        return '<td data-v=""></td>'
    if unit == "%":
        words = percent(found)
    else:
        words = f"{found:{unit}}" if unit.startswith(".") else quantity(found, unit)
    return f'<td data-v="{json.dumps(found)}">{escape(words)}</td>'


def algorithms(document: Document) -> str:
    """For every layer with a choice, what each algorithm said and how it did."""
    chosen = [layer for layer in document["layers"] if len(layer["candidates"]) > 1]
    names = list(dict.fromkeys(c["algorithm"] for layer in chosen for c in layer["candidates"]))
    heads = [
        '<th scope="col" class="left">layer</th>',
        *(f'<th scope="col">{escape(name)}</th>' for name in names),
    ]
    rows = []
    for layer in chosen:
        by_name = {c["algorithm"]: c for c in layer["candidates"]}
        cells = "".join(_verdict(layer, by_name.get(name)) for name in names)
        rows.append(f"<tr>{_words(layer['name'])}{cells}</tr>")
    return _table(heads, f"<tbody>{''.join(rows)}</tbody>", "algorithms")


def _verdict(layer: Document, candidate: Document | None) -> str:
    if candidate is None:
        return "<td></td>"
    if not candidate["accepted"]:
        return f'<td class="no" title="{escape(candidate["reason"])}">refused</td>'
    scratch, predicted = candidate["workspace_bytes"], candidate["predicted_s"]
    about = f"scratch {quantity(scratch, 'B')}, predicted {quantity(predicted, 's')}"
    if candidate["error"] is not None:
        about += f", error {candidate['error']:.1e}"
    if candidate["algorithm"] == layer["algorithm"]:
        return f'<td class="taken" title="{about}">taken</td>'
    ratio = candidate["ratio"]
    if ratio is not None:
        timing = candidate["timing"]
        about += f", median {quantity(timing['median_s'], 's')}, spread {quantity(timing['iqr_s'], 's')}"
        kind = ' class="better"' if ratio < _BETTER else ""
        return f'<td{kind} data-v="{json.dumps(ratio)}" title="{about}">{times(ratio)}</td>'
    taken = next((c["cycles"] for c in layer["candidates"] if c["algorithm"] == layer["algorithm"]), 0.0)
    estimate = f"est. {times(candidate['cycles'] / taken)}" if taken else ""
    return f'<td class="no" title="{about}">{estimate}</td>'


def refusals(document: Document) -> str:
    """Why algorithms were refused, gathered over the layers."""
    said = []
    for group in refused(document["layers"]):
        names, reasons = group["layers"], group["reasons"]
        alike = "" if len(reasons) == 1 else " (and alike)"
        count = "1 layer" if len(names) == 1 else f"{len(names)} layers"
        who = ", ".join(group["algorithms"])
        said.append(f"<li><b>{escape(who)}</b>: {escape(reasons[0])}{alike}; {count}</li>")
    return f"<ul>{''.join(said)}</ul>" if said else '<p class="dim">None.</p>'


def errors(document: Document) -> str:
    """How far from float64 each algorithm that ran was: over its layers the median, and the worst."""
    found: dict[str, list[tuple[float, str]]] = {}
    for layer in document["layers"]:
        for candidate in layer["candidates"]:
            if candidate["error"] is not None:
                found.setdefault(candidate["algorithm"], []).append((candidate["error"], layer["name"]))
    if not found:
        return ""
    sides = {"algorithm": "left", "layers": "number", "median": "number", "worst": "number", "in": "left"}
    heads = [f'<th scope="col" class="{side}">{name}</th>' for name, side in sides.items()]
    rows = []
    for algorithm, seen in found.items():
        middle, (worst, name) = median(error for error, _ in seen), max(seen)
        rows.append(
            f'<tr>{_words(algorithm)}<td>{len(seen)}</td><td data-v="{json.dumps(middle)}">{middle:.1e}</td>'
            f'<td data-v="{json.dumps(worst)}">{worst:.1e}</td>{_words(name)}</tr>'
        )
    words = "Largest difference to float64 over the largest result, on random operands of each layer's shape."
    return f"<h3>Errors</h3><p>{words}</p>{_table(heads, f'<tbody>{chr(10).join(rows)}</tbody>', 'errors')}"
