"""Two networks that do the same with other layers, layer beside layer: the table of MobileNet's body.

Both run by turns, step by step. Blocks are not fused for this, so that every layer has a time of its own; the
networks as they would be planned run in the same rounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyconv.model import Model
from pyconv.study import network_pair, timing
from pyconv.study.gains import Steps, executed
from pyconv.study.lab import counted
from pyconv.study.network_pair import Part
from pyconv.study.timing import Conditions, Timing

APART = ("fuse_inverted_residual",)
"""Passes that make one step of several layers."""


@dataclass(frozen=True)
class Line:
    """One step of one of the networks."""

    name: str
    what: str
    shape: tuple[int, ...]
    macs: int
    executed_macs: int
    parameters: int
    algorithm: str
    timing: Timing
    absorbed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "shape": list(self.shape), "timing": self.timing.as_dict()}


@dataclass(frozen=True)
class Body:
    """``lines`` are the steps of both networks, ``whole`` what they take as planned, fused blocks and all;
    ``parts`` the sums by what the names of their layers share."""

    names: tuple[str, str]
    lines: tuple[Sequence[Line], Sequence[Line]]
    parts: Sequence[Part]
    whole: tuple[Timing, Timing]
    conditions: Conditions = field(default_factory=lambda: Conditions(0.0))

    @property
    def macs(self) -> tuple[int, int]:
        first, second = (sum(line.macs for line in side) for side in self.lines)
        return first, second

    @property
    def mac_ratio(self) -> float:
        return self.macs[1] / self.macs[0] if self.macs[0] else 1.0

    @property
    def time_ratio(self) -> float:
        return self.whole[1].minimum / self.whole[0].minimum

    @property
    def sentence(self) -> str:
        first, second = self.documents
        return network_pair.sentence(first, second, self.parts)

    @property
    def documents(self) -> list[dict[str, Any]]:
        """As `network_pair` takes them."""
        return [
            {
                "name": name,
                "layers": [
                    {**line.as_dict(), "absorbed": line.absorbed, "predicted_s": line.timing.minimum}
                    for line in side
                ],
            }
            for name, side in zip(self.names, self.lines)
        ]

    def of(self, part: Part) -> tuple[list[Line], list[Line]]:
        """The lines of either network that a part is the sum of, by its MACs and order."""
        found = []
        for side in self.lines:
            keys = _keys(part.name)
            found.append([line for line in side if _key(line) in keys] if keys else [])
        return found[0], found[1]

    def as_dict(self) -> dict[str, object]:
        return {
            "networks": [
                {"name": n, "layers": [line.as_dict() for line in side], "whole": whole.as_dict()}
                for n, side, whole in zip(self.names, self.lines, self.whole)
            ],
            "parts": [part.as_dict() for part in self.parts],
            "mac_ratio": self.mac_ratio,
            "time_ratio": self.time_ratio,
            "sentence": self.sentence,
            "conditions": self.conditions.as_dict(),
        }


def _key(line: Line) -> str:
    return ".".join(line.name.split(".")[:2])


def _keys(name: str) -> set[str]:
    """The keys of a part's name, of "features.2 to 3" both."""
    first, _, last = name.partition(" to ")
    stem, _, number = first.rpartition(".")
    if not last:
        return {first}
    if number.isdigit() and last.isdigit():
        return {f"{stem}.{i}" for i in range(int(number), int(last) + 1)}
    return {first}


def run(
    planned: Sequence[Model], apart: Sequence[Model], names: Sequence[str], *, seconds: float = 10.0
) -> Body:
    """Both networks as planned and, for the layers, without `APART`.

    >>> import pyconv
    >>> from pyconv import nn
    >>> nets = [pyconv.compile(nn.Sequential(nn.Conv2d(4, 4, k, padding=k // 2)), (1, 4, 9, 9)) for k in (1, 3)]
    >>> found = run(nets, nets, ("pointwise", "full"), seconds=0.01)
    >>> found.mac_ratio, [part.name for part in found.parts]
    (9.0, ['0'])
    """
    cases = {f"{kind} {i}": Steps(model) for kind, pair in (("apart", apart), ("planned", planned))
             for i, model in enumerate(pair)}  # fmt: skip
    taken = timing.measure(cases, rounds=300, sample_seconds=1e-9, budget_seconds=seconds)
    sides = [_lines(model, cases[f"apart {i}"]) for i, model in enumerate(apart)]
    wholes = []
    for i, model in enumerate(planned):
        sums = cases[f"planned {i}"].seconds().sum(axis=1) * model.describe()["images"]
        wholes.append(Timing(names[i], tuple(sums.tolist())))
    body = Body((names[0], names[1]), (sides[0], sides[1]), (), (wholes[0], wholes[1]), taken.conditions)
    documents = body.documents
    return dataclasses.replace(body, parts=network_pair.parts(documents[0], documents[1]))


def _lines(model: Model, case: Steps) -> list[Line]:
    images = model.describe()["images"]
    steps = model._core.steps()
    table = case.seconds() * images
    kept = counted([step["op"] for step in steps])
    return [
        Line(
            steps[i]["name"],
            _what(steps[i]),
            tuple(steps[i]["inputs"][0]["shape"]),
            images * steps[i]["macs"],
            images * executed(steps[i]),
            steps[i]["parameters"],
            steps[i]["algorithm"],
            Timing(steps[i]["name"], tuple(table[:, i].tolist())),
            tuple(steps[i]["absorbed"]),
        )
        for i in kept
    ]


def _what(step: Mapping[str, Any]) -> str:
    """A layer as the papers' tables name it: "conv dw 3x3 / s2"."""
    import pyconv

    if not step["problem"]:
        return str(step["op"]).replace("_", " ")
    p = pyconv.Conv2dProblem(step["problem"])
    deep = " dw" if p.g == p.ic and p.g > 1 else ""
    stride = f" / s{p.sh}" if p.sh > 1 else ""
    return f"conv{deep} {p.kh}x{p.kw}{stride}"
