"""A network beside one that does the same with other layers: how much of the saving in MACs is a saving of
time, part by part.

Parts are what the layers' names share: "features.3" of both, or "features" where that leaves layers alone.
Where a step covers several of them, because layers were fused, they are taken together in both networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyconv.study.units import percent, quantity, times

_REST = "the rest"
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Part:
    """Layers of both networks, of the first over those of the second."""

    name: str
    macs: tuple[int, int]
    executed_macs: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def mac_ratio(self) -> float:
        """How many times fewer MACs the first has."""
        return self.macs[1] / self.macs[0] if self.macs[0] else 1.0

    @property
    def executed_ratio(self) -> float:
        return self.executed_macs[1] / self.executed_macs[0] if self.executed_macs[0] else 1.0

    @property
    def time_ratio(self) -> float:
        """How many times as fast the first is."""
        return self.seconds[1] / self.seconds[0] if self.seconds[0] else 1.0

    def as_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "macs": list(self.macs),
            "executed_macs": list(self.executed_macs),
            "seconds": list(self.seconds),
            "mac_ratio": self.mac_ratio,
            "executed_ratio": self.executed_ratio,
            "time_ratio": self.time_ratio,
        }


Document = Mapping[str, Any]


def seconds(layer: Document) -> float:
    """Measured where the layer was, else predicted."""
    timing = layer["timing"]
    return float(timing["min_s"] if timing else layer["predicted_s"])


def measured(documents: Iterable[Document]) -> bool:
    return all(layer["timing"] for document in documents for layer in document["layers"])


def parts(first: Document, second: Document) -> list[Part]:
    """Of two networks, as `Network.as_dict` has them, in the order of the first. ValueError where one was
    measured and the other was not."""
    if measured([first]) != measured([second]):
        raise ValueError("networks: expected both measured or neither")
    for depth in (2, 1):
        keys = [[_keys(layer, depth) for layer in document["layers"]] for document in (first, second)]
        shared = set[str]().union(*keys[0]) & set[str]().union(*keys[1])
        if all(
            shared & set(own) or not layer["macs"]
            for document, side in zip((first, second), keys)
            for layer, own in zip(document["layers"], side)
        ):
            break
    names = _merged([*keys[0], *keys[1]], shared)
    sums: dict[str, list[list[float]]] = {}
    for side, document in enumerate((first, second)):
        for layer, own in zip(document["layers"], keys[side]):
            name = next((names[key] for key in own if key in shared), _REST)
            row = sums.setdefault(name, [[0, 0], [0, 0], [0.0, 0.0]])
            row[0][side] += layer["macs"]
            row[1][side] += layer["executed_macs"]
            row[2][side] += seconds(layer)
    return [_part(name, row) for name, row in sums.items()]


def whole(found: Sequence[Part]) -> Part:
    """All parts as one."""
    rows = [
        [sum(getattr(part, field)[side] for part in found) for side in range(2)]
        for field in ("macs", "executed_macs", "seconds")
    ]
    return _part("all", rows)


def _part(name: str, row: Sequence[Sequence[float]]) -> Part:
    return Part(
        name, (int(row[0][0]), int(row[0][1])), (int(row[1][0]), int(row[1][1])), (row[2][0], row[2][1])
    )


def _keys(layer: Document, depth: int) -> list[str]:
    """The parts that a step belongs to, by its name and those of what was fused into it."""
    found = [".".join(name.split(".")[:depth]) for name in (*layer["absorbed"], layer["name"])]
    return sorted(dict.fromkeys(found), key=_in_order)


def _in_order(key: str) -> tuple[str, int, str]:
    stem, _, number = key.rpartition(".")
    return (stem, int(number), "") if number.isdigit() else (key, 0, "")


def _merged(steps: Sequence[Sequence[str]], shared: set[str]) -> dict[str, str]:
    """For every shared part the name of what it is taken together with: "features.2 to 3"."""
    group = {key: {key} for key in shared}
    for keys in steps:
        joined = set[str]().union(*(group[key] for key in keys if key in shared))
        for key in joined:
            group[key] = joined
    names = {}
    for key, members in group.items():
        ordered = sorted(members, key=_in_order)
        last = ordered[-1].rpartition(".")[2]
        names[key] = ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {last}"
    return names


def sentence(first: Document, second: Document, found: Sequence[Part]) -> str:
    """How much of the saving in MACs the first network turns into time, and where the rest went."""
    total = whole(found)
    verb = "is" if measured([first, second]) else "should be"
    fewer = f"{first['name']} has {times(total.mac_ratio)} fewer MACs than {second['name']}"
    if total.mac_ratio < 1.05:
        return f"{fewer}: there is nothing to save."
    kept = total.time_ratio / total.mac_ratio
    faster = f"{fewer} and {verb} {times(total.time_ratio)} as fast"
    if kept >= _NEARLY_ALL:
        return f"{faster}: nearly all of the saving is a saving of time."
    lost = total.time_ratio < _NEARLY_ALL * total.executed_ratio
    reasons = [text for text in (_transform(total, second), _depthwise(first) if lost else "") if text]
    because = f", because {' and '.join(reasons)}" if reasons else ""
    return f"{faster}, {percent(kept)} of the saving{because}."


def _transform(total: Part, second: Document) -> str:
    if total.executed_ratio > 0.95 * total.mac_ratio:
        return ""
    executed, macs = quantity(total.executed_macs[1]), quantity(total.macs[1])
    return (
        f"{second['name']} saves too (Winograd executes {executed} of its {macs} MACs, which leaves "
        f"{times(total.executed_ratio)})"
    )


def _depthwise(first: Document) -> str:
    """That depthwise layers take more of the time than of the MACs, where they do."""
    layers = first["layers"]
    deep = [layer for layer in layers if layer["algorithm"] == "depthwise"]
    share = sum(layer["macs"] for layer in deep) / (sum(layer["macs"] for layer in layers) or 1)
    spent = sum(map(seconds, deep)) / (sum(map(seconds, layers)) or 1.0)
    if spent < 1.5 * share:
        return ""
    return (
        f"its depthwise layers, {100 * share:.1f} % of the MACs, take {percent(spent)} of the time where they "
        f"run by themselves{_reach(first, deep)}"
    )


def _reach(document: Document, layers: Sequence[Document]) -> str:
    """": they reach 26 % of the FMA peak because they move 0.9 bytes per FLOP, most of them from L2"; "because"
    where memory binds most of their time."""
    if "roofline" not in document:
        return ""
    flops = 2 * sum(layer["executed_macs"] for layer in layers)
    share = 1e-9 * flops / sum(map(seconds, layers)) / document["roofline"]["peak_gflops"]
    moved: dict[str, int] = {}
    for traffic in (t for layer in layers for t in layer["traffic"]):
        moved[traffic["level"]] = moved.get(traffic["level"], 0) + traffic["bytes"]
    if not moved:
        return ""
    bound = sum(seconds(layer) for layer in layers if layer["limit"] != "compute")
    cause = "because they move" if bound > 0.5 * sum(map(seconds, layers)) else "moving"
    level, per_flop = max(moved, key=moved.__getitem__), sum(moved.values()) / flops
    return (
        f": they reach {percent(share)} of the FMA peak {cause} {per_flop:.1f} bytes per FLOP, most of "
        f"them from {level}"
    )
