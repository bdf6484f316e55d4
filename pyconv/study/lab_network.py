"""The lab over a network: for each dense layer, what its factorisations would save in MACs and in time.

A layer is timed by itself, as often as it is different: caches hold what it needs, for it and for what would
replace it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyconv.model import Model
from pyconv.study import lab, machine
from pyconv.study.lab import ALIKE, NORMAL, Knobs, Lab
from pyconv.study.lab_words import fewer, speed
from pyconv.study.machine import Roofline
from pyconv.study.rewrite import convolutions, plain
from pyconv.study.units import percent, quantity


@dataclass(frozen=True)
class Whole:
    """All layers that a kind could replace, together."""

    kind: str
    macs: tuple[int, int]
    seconds: tuple[float, float]

    @property
    def mac_ratio(self) -> float:
        return self.macs[0] / self.macs[1]

    @property
    def time_ratio(self) -> float:
        return self.seconds[0] / self.seconds[1]

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "mac_ratio": self.mac_ratio, "time_ratio": self.time_ratio}


@dataclass(frozen=True)
class NetworkLab:
    """``layers`` names the layers of each line, in the network's order; ``left`` says why some were not tried."""

    name: str
    layers: Mapping[str, Sequence[str]]
    labs: Mapping[str, Lab]
    left: Mapping[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """Those that some layer has."""
        return [kind for kind in ALIKE if any(kind in _names(found) for found in self.labs.values())]

    def whole(self, kind: str) -> Whole:
        """Of the layers that have this kind."""
        macs, seconds = [0, 0], [0.0, 0.0]
        for line, found in self.labs.items():
            if kind in _names(found):
                for side, row in enumerate((found[NORMAL], found[kind])):
                    macs[side] += len(self.layers[line]) * row.macs
                    seconds[side] += len(self.layers[line]) * row.best_s
        return Whole(kind, (macs[0], macs[1]), (seconds[0], seconds[1]))

    @property
    def macs(self) -> int:
        """Of all layers that were taken apart."""
        return sum(len(self.layers[line]) * found[NORMAL].macs for line, found in self.labs.items())

    @property
    def seconds(self) -> float:
        return sum(len(self.layers[line]) * found[NORMAL].best_s for line, found in self.labs.items())

    @property
    def sentence(self) -> str:
        """What the kinds would save, and the layer where MACs and time part most."""
        if not self.labs:
            return f"{self.name} has no dense convolution of several taps: there is nothing to take apart."
        wholes = [self.whole(kind) for kind in self.kinds]
        parts = [f"{w.kind}, {fewer(w.mac_ratio)}, {speed(w.time_ratio)}" for w in wholes]
        spent = quantity(self.macs)
        return (
            f"{self.name} spends {spent} MACs on dense layers of several taps; in their place: "
            f"{'; '.join(parts)}. {self._worst()}."
        )

    def _worst(self) -> str:
        kept = [
            (found.time_ratio(row) / found.mac_ratio(row), line, row)
            for line, found in self.labs.items()
            for row in found.rows
            if row.name in ALIKE and found.mac_ratio(row) > 1
        ]
        share, line, row = min(kept, key=lambda k: k[0])
        found = self.labs[line]
        return (
            f"Least of the saving is left of {row.name} at {self.layers[line][0]}: {fewer(found.mac_ratio(row))}, "
            f"{speed(found.time_ratio(row))}, {percent(share)}"
        )

    def as_dict(self) -> dict[str, object]:
        return {
            "model": self.name,
            "sentence": self.sentence,
            "layers": [
                {"layers": list(self.layers[line]), **found.as_dict()} for line, found in self.labs.items()
            ],
            "whole": [self.whole(kind).as_dict() for kind in self.kinds],
            "left": dict(self.left),
        }


def _names(found: Lab) -> list[str]:
    return [row.name for row in found.rows]


def run(
    model: Model | Any,
    *,
    name: str = "network",
    knobs: Knobs | None = None,
    threads: int = 1,
    seconds: float = 10.0,
    tune: bool = True,
    roofline: Roofline | None = None,
    on_step: Callable[[str], None] | None = None,
) -> NetworkLab:
    """Every dense convolution of several taps beside `ALIKE`.

    >>> import pyconv
    >>> from pyconv import nn
    >>> net = pyconv.compile(nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1)), (1, 8, 9, 9))
    >>> found = run(net, seconds=0.01, tune=False)
    >>> [names for names in found.layers.values()], found.left
    ([['0']], {'1': 'a pointwise layer'})
    """
    say = on_step or (lambda _: None)
    layers: dict[str, list[str]] = {}
    left: dict[str, str] = {}
    for conv in convolutions(plain(model)):
        p = conv.problem
        reason = "a pointwise layer" if p.kh * p.kw == 1 else "a layer of groups" if p.g > 1 else None
        if reason:
            left[conv.name] = reason
        else:
            layers.setdefault(str(p), []).append(conv.name)
    roofline = roofline or machine.roofline(threads=threads)
    labs = {}
    for line, names in layers.items():
        say(names[0])
        labs[line] = lab.run(
            line, knobs=knobs, names=ALIKE, threads=threads, seconds=seconds / len(layers), tune=tune,
            roofline=roofline,
        )  # fmt: skip
    return NetworkLab(name, layers, labs, left)
