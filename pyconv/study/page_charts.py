"""The drawings of a page: roofline, times, a network against another, the arena. Each takes the documents of
`Network.as_dict` and gives SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pyconv.study.machine import LEVELS, Roofline
from pyconv.study.network_pair import Part, seconds
from pyconv.study.page_svg import Scale, drawing, element, line, number, text, titled
from pyconv.study.units import percent, quantity, times

Document = Mapping[str, Any]
WIDTH = 1100.0
MOST_BARS = 48
_NUMBERED = 14
_LONGEST = 34


def short(name: str) -> str:
    """The end of a long name, which is what tells layers apart."""
    return name if len(name) <= _LONGEST else "…" + name[1 - _LONGEST :]


def gflops(layer: Document) -> float:
    """Executed FLOPs over the measured time, or else the predicted one."""
    return 2e-9 * layer["executed_macs"] / seconds(layer) if seconds(layer) else 0.0


def roofline(document: Document) -> str:
    """Every layer that multiplies, under the ceilings of the machine, with areas by time."""
    machine = Roofline(**document["roofline"])
    layers = [layer for layer in document["layers"] if layer["executed_macs"] and layer["bytes"]]
    reach = [layer["intensity"] for layer in layers] or [1.0]
    rates = [gflops(layer) for layer in layers] or [machine.peak_gflops]
    left, right, top, bottom = 62.0, WIDTH - 16, 14.0, 450.0
    x = Scale(min(0.3, *reach) / 1.3, max(3 * machine.ridge("DRAM"), *reach) * 1.6, left, right, log=True)
    y = Scale(min(machine.peak_gflops / 12, *rates) / 1.5, machine.peak_gflops * 1.6, bottom, top, log=True)
    parts = _grid(x, y, left, right, top, bottom)
    parts.append(text((left + right) / 2, bottom + 38, "executed FLOP per byte moved", anchor="middle"))
    parts.append(text(left, top - 2, "GFLOP/s", class_="dim"))
    parts += _ceilings(machine, x, y)
    parts += _points(document, layers, x, y)
    return drawing(WIDTH, bottom + 46, parts, "roofline with every layer")


def _grid(x: Scale, y: Scale, left: float, right: float, top: float, bottom: float) -> list[str]:
    parts = []
    for tick in x.ticks():
        parts += [
            line(x(tick), top, x(tick), bottom, "grid"),
            text(x(tick), bottom + 17, f"{tick:g}", anchor="middle", class_="dim"),
        ]
    for tick in y.ticks():
        parts += [
            line(left, y(tick), right, y(tick), "grid"),
            text(left - 6, y(tick) + 4, f"{tick:g}", anchor="end", class_="dim"),
        ]
    return [*parts, line(left, bottom, right, bottom, "axis"), line(left, top, left, bottom, "axis")]


def _ceilings(machine: Roofline, x: Scale, y: Scale) -> list[str]:
    """A slanted line per level of memory, up to the flat one of the peak."""
    peak = machine.peak_gflops
    widest = min(machine.ridge(level) for level in LEVELS)
    words = f"FMA peak {peak:.0f} GFLOP/s"
    parts = [
        line(x(max(widest, x.low)), y(peak), x.end, y(peak), "roof"),
        text(x.end - 4, y(peak) - 7, words, anchor="end", class_="halo"),
    ]
    up = (y(y.low) - y(10 * y.low)) / (x(10 * x.low) - x(x.low))
    angle = -math.degrees(math.atan(up))
    for level in LEVELS:
        rate = machine.bandwidth(level, "read")
        begin = max(x.low, y.low / rate)
        parts.append(line(x(begin), y(begin * rate), x(peak / rate), y(peak), "roof"))
        at = begin * 1.12
        place = f"translate({number(x(at))} {number(y(at * rate) - 5)}) rotate({number(angle)})"
        parts.append(
            element("text", f"{level} {rate:.0f} GB/s", transform=place, class_="dim halo", font_size=11)
        )
    return parts


def _points(document: Document, layers: Sequence[Document], x: Scale, y: Scale) -> list[str]:
    whole = sum(map(seconds, document["layers"])) or 1.0
    parts = []
    dearest: list[tuple[float, float, int]] = []
    for rank, layer in enumerate(sorted(layers, key=seconds, reverse=True)):
        share = seconds(layer) / whole
        radius = 3.5 + 26 * math.sqrt(share)
        px, py = x(layer["intensity"]), y(gflops(layer))
        kind = "mark" if layer["timing"] else "open"
        words = (
            f"{layer['name']}: {gflops(layer):.1f} GFLOP/s, {percent(share)} of the time. {layer['sentence']}"
        )
        parts.append(titled(element("g", _mark(layer, px, py, radius, kind), class_=layer["limit"]), words))
        if rank < _NUMBERED:
            dearest.append((px, py + radius, layer["index"]))
    return [*parts, *_labels(dearest)]


def _labels(points: Sequence[tuple[float, float, int]]) -> list[str]:
    """Numbers below points; of points that lie together the first two, and how many more."""
    groups: list[tuple[float, float, list[int]]] = []
    for x, y, index in points:
        near = [g for g in groups if abs(g[0] - x) < 22 and abs(g[1] - y) < 14]
        if near:
            near[0][2].append(index)
        else:
            groups.append((x, y, [index]))
    drawn, taken = [], list[tuple[float, float, float]]()
    for x, y, indices in groups:
        words = ", ".join(map(str, sorted(indices)[:2])) + (
            f" +{len(indices) - 2}" if len(indices) > 2 else ""
        )
        half, at = 3.4 * len(words) + 3, y + 13
        while any(abs(x - other) < half + width and abs(at - above) < 12 for other, above, width in taken):
            at += 4
        taken.append((x, at, half))
        drawn.append(text(x, at, words, anchor="middle", class_="halo", font_size=11))
    return drawn


def _mark(layer: Document, x: float, y: float, r: float, kind: str) -> str:
    """Triangles are depthwise, squares 1x1, diamonds linear; the others are circles."""
    if layer["algorithm"] == "depthwise":
        corners = [(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)]
    elif layer["op"] == "linear":
        corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)]
    elif re.search(r"kh1(?!\d|kw)", layer["problem"]):
        s = 0.85 * r
        corners = [(x - s, y - s), (x + s, y - s), (x + s, y + s), (x - s, y + s)]
    else:
        return element("circle", cx=x, cy=y, r=r, class_=kind)
    points = " ".join(f"{number(px)},{number(py)}" for px, py in corners)
    return element("polygon", points=points, class_=kind)


def bars(document: Document) -> str:
    """Time of the dearest layers in the network's order: bar, bound and prediction."""
    layers = document["layers"]
    dearest = sorted(range(len(layers)), key=lambda i: -seconds(layers[i]))[:MOST_BARS]
    shown = [layers[i] for i in sorted(dearest)]
    most = max((max(seconds(layer), layer["predicted_s"]) for layer in shown), default=1.0)
    left, step, top = 330.0, 17.0, 20.0
    x = Scale(0.0, 1.02 * most, left, WIDTH - 150)
    bottom = top + step * len(shown)
    parts = []
    for tick in x.ticks(6):
        parts += [
            line(x(tick), top - 3, x(tick), bottom, "grid"),
            text(x(tick), top - 8, quantity(tick, "s"), anchor="middle", class_="dim"),
        ]
    for row, layer in enumerate(shown):
        y = top + row * step
        algorithm = layer["algorithm"] or layer["op"]
        kind = "bar" if layer["timing"] else "open"
        width = max(0.5, x(seconds(layer)) - left)
        bar = element("rect", x=left, y=y + 3, width=width, height=step - 6, class_=kind)
        at = x(layer["predicted_s"])
        dot = element("circle", cx=at, cy=y + step / 2, r=3.2, class_="ghost", stroke="var(--bg)")
        bound = element("rect", x=x(layer["bound_s"]) - 1, y=y + 1, width=2, height=step - 2, class_="ghost")
        share = "" if layer["share"] is None else f" · {percent(layer['share'])}"
        parts += [
            text(left - 112, y + 12, short(layer["name"]), anchor="end", font_size=11),
            text(left - 8, y + 12, algorithm, anchor="end", font_size=11, class_="dim"),
            titled(element("g", bar + bound + dot, class_=layer["limit"]), layer["sentence"]),
            text(WIDTH - 140, y + 12, f"{quantity(seconds(layer), 's')}{share}", font_size=11),
        ]
    return drawing(WIDTH, bottom + 4, parts, "predicted against measured time of layers")


def ratios(parts_: Sequence[Part]) -> str:
    """MACs and time of one network over those of another, part by part."""
    values = [v for p in parts_ for v in (p.mac_ratio, p.executed_ratio, p.time_ratio)]
    left, step, top = 220.0, 24.0, 22.0
    x = Scale(min(0.8, *values) / 1.1, max(2.0, *values) * 1.1, left, WIDTH - 220, log=True)
    bottom = top + step * len(parts_)
    drawn = []
    for tick in (t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if x.low <= t <= x.high):
        drawn += [
            line(x(tick), top - 4, x(tick), bottom, "axis" if tick == 1 else "grid"),
            text(x(tick), top - 9, f"{tick:g}x", anchor="middle", class_="dim"),
        ]
    for row, part in enumerate(parts_):
        y = top + row * step + step / 2
        macs, executed, time = x(part.mac_ratio), x(part.executed_ratio), x(part.time_ratio)
        words = f"{times(part.mac_ratio)} fewer MACs, {times(part.time_ratio)} as fast"
        drawn += [
            text(left - 10, y + 4, short(part.name), anchor="end"),
            line(macs, y, time, y, "roof"),
            element("circle", cx=macs, cy=y, r=6, class_="open first", stroke_width=2),
            element("rect", x=executed - 1.5, y=y - 8, width=3, height=16, class_="ghost"),
            element("circle", cx=time, cy=y, r=6, class_="mark second"),
            text(WIDTH - 205, y + 4, words, class_="dim"),
        ]
    return drawing(WIDTH, bottom + 6, drawn, "ratio of MACs against ratio of time")


def engines(timed: Sequence[Document]) -> str:
    """A bar for each engine's median, a line for its spread; the first is ours."""
    most = max(peer["median_s"] + peer["iqr_s"] for peer in timed)
    left, step, top = 220.0, 24.0, 22.0
    x = Scale(0.0, 1.02 * most, left, WIDTH - 150)
    bottom = top + step * len(timed)
    parts = []
    for tick in x.ticks(6):
        parts += [
            line(x(tick), top - 4, x(tick), bottom, "grid"),
            text(x(tick), top - 9, quantity(tick, "s"), anchor="middle", class_="dim"),
        ]
    for row, peer in enumerate(timed):
        y = top + row * step
        at, end = x(peer["median_s"]), x(min(most, peer["median_s"] + peer["iqr_s"] / 2))
        bar = element("rect", x=left, y=y + 4, width=max(0.5, at - left), height=step - 8, class_="bar")
        parts += [
            text(left - 10, y + 16, f"{peer['name']} {_shortened(str(peer['version']), 14)}", anchor="end"),
            titled(element("g", bar, class_="L3" if row else "compute"), str(peer["how"])),
            line(x(peer["min_s"]), y + step / 2, end, y + step / 2, "roof"),
            text(WIDTH - 140, y + 16, quantity(peer["median_s"], "s"), font_size=11),
        ]
    return drawing(WIDTH, bottom + 4, parts, "this network in other engines")


def buffers(document: Document) -> list[dict[str, Any]]:
    """The arena's buffers: offset, bytes, first and last step, and the tensors that lie in each: parts of a
    wider one, or what was computed in place of another."""
    places: dict[int, list[Document]] = {}
    for layer in document["layers"]:
        for place in layer["places"]:
            if place["space"] == "arena":
                places.setdefault(place["buffer"], []).append(place)
    found = []
    for held in places.values():
        start = min(place["offset"] for place in held)
        ends = (start if p["span"] > p["bytes"] else p["offset"] for p in held)
        end = max(at + p["span"] for at, p in zip(ends, held))
        found.append({"offset": start, "bytes": end - start, "first": held[0]["first"], "last": held[0]["last"],
                      "names": [place["name"] for place in held]})  # fmt: skip
    return found


def arena(document: Document) -> str:
    """Buffers by lifetime and offset, and each step's scratch."""
    steps, size = len(document["layers"]), document["totals"]["arena_bytes"]
    left, right, top, bottom = 74.0, WIDTH - 16, 12.0, 320.0
    x, y = Scale(0.0, max(1, steps), left, right), Scale(0.0, max(1, size), bottom, top)
    parts = []
    for tick in y.ticks(6):
        parts += [
            line(left, y(tick), right, y(tick), "grid"),
            text(left - 6, y(tick) + 4, quantity(tick, "B"), anchor="end", class_="dim"),
        ]
    colours = ("compute", "L2", "L3")
    for index, buffer in enumerate(buffers(document)):
        names = ", ".join(buffer["names"][:3]) + (", …" if len(buffer["names"]) > 3 else "")
        lives = f"steps {buffer['first']} to {buffer['last']}"
        words = f"{names}: {quantity(buffer['bytes'], 'B')} at {buffer['offset']}, {lives}"
        parts.append(titled(_box(x, y, buffer, f"place {colours[index % 3]}"), words))
    for layer in document["layers"]:
        if layer["workspace_bytes"]:
            own = {"first": layer["index"], "last": layer["index"], "offset": layer["workspace_offset"],
                   "bytes": layer["workspace_bytes"]}  # fmt: skip
            words = f"scratch of {layer['name']}: {quantity(own['bytes'], 'B')}"
            parts.append(titled(_box(x, y, own, "scratch"), words))
    for tick in x.ticks(12):
        if tick == int(tick) and tick < steps:
            parts.append(text(x(tick), bottom + 16, f"{tick:g}", anchor="middle", class_="dim"))
    parts += [
        line(left, bottom, right, bottom, "axis"),
        line(left, y(size), right, y(size), "roof"),
        text((left + right) / 2, bottom + 34, "step", anchor="middle"),
    ]
    return drawing(WIDTH, bottom + 42, parts, "the arena over the steps")


def _box(x: Scale, y: Scale, buffer: Document, kind: str) -> str:
    top = y(buffer["offset"] + buffer["bytes"])
    return element(
        "rect", x=x(buffer["first"]), y=top, width=x(buffer["last"] + 1) - x(buffer["first"]),
        height=max(0.5, y(buffer["offset"]) - top), class_=kind,
    )  # fmt: skip


def most_alive(document: Document) -> tuple[int, int]:
    """The most bytes, scratch included, that one step needs at once, and that step."""
    alive = []
    held = buffers(document)
    for layer in document["layers"]:
        index = layer["index"]
        bytes_ = sum(b["bytes"] for b in held if b["first"] <= index <= b["last"])
        alive.append((bytes_ + layer["workspace_bytes"], index))
    return max(alive, default=(0, 0))


def ladder(document: Document) -> str:
    """GFLOP/s of the definition by rung, on a logarithmic axis that goes beyond the peak."""
    climbed, peak = document["ladder"], document["roofline"]["peak_gflops"] / document["roofline"]["threads"]
    rates = [2e-9 * climbed["macs"] / rung["seconds"] for rung in climbed["rungs"]]
    left, step, top = 190.0, 24.0, 22.0
    x = Scale(min(rates) / 2, 1.3 * max(peak, *rates), left, 620.0, log=True)
    bottom = top + step * len(rates)
    parts = []
    for tick in (10.0**e for e in range(-4, 5)):
        if x.low <= tick <= x.high:
            parts += [
                line(x(tick), top - 4, x(tick), bottom, "grid"),
                text(x(tick), top - 9, f"{tick:g}", anchor="middle", class_="dim"),
            ]
    for row, (rung, rate) in enumerate(zip(climbed["rungs"], rates)):
        y = top + row * step
        kind = "L2" if rung["name"].startswith("pyconv") else "L3"
        gain = f" · {times(rate / rates[row - 1])}" if row else ""
        parts += [
            text(left - 10, y + 16, rung["name"], anchor="end"),
            element("g", element("rect", x=left, y=y + 4, width=x(rate) - left, height=step - 8, class_="bar"),
                    class_=kind),
            text(640, y + 16, f"{rate:#.3g}".rstrip(".") + gain),
            text(735, y + 16, _shortened(rung["why"], 62), class_="dim", font_size=11),
        ]  # fmt: skip
    parts.append(line(x(peak), top - 4, x(peak), bottom, "roof"))
    return drawing(WIDTH, bottom + 6, parts, "one layer from Python loops to Winograd")


def _shortened(words: str, most: int) -> str:
    """The first clause, or as much as there is room for."""
    clause = words.split(": ")[0] if len(words) > most else words
    return clause if len(clause) <= most else clause[: most - 1].rsplit(" ", 1)[0] + " …"
