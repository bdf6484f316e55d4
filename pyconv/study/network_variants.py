"""Findings of the design rules, and what they share: sums over layers, and other shapes timed beside a layer's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import pyconv
from pyconv.study import timing
from pyconv.study.units import percent, quantity

if TYPE_CHECKING:
    from pyconv.study.network_result import Layer


@dataclass(frozen=True)
class Finding:
    """``seconds`` of a run that the rule's layers lose, as measured; None where nothing was."""

    rule: str
    text: str
    layers: tuple[str, ...]
    seconds: float | None = None

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "layers": list(self.layers)}


Beside = Callable[[str, str], float]
"""beside(problem, other): the seconds of the first over those of the second."""


def measured(accuracy: str) -> Beside:
    def beside(problem: str, other: str) -> float:
        cases = {name: _case(name, accuracy) for name in (problem, other)}
        if len(cases) < 2:
            return 1.0
        run = timing.measure(cases, rounds=9, sample_seconds=0.002, budget_seconds=0.3)
        return run[problem].median / run[other].median

    return beside


def _case(problem: str, accuracy: str) -> timing.Case:
    p = pyconv.Conv2dProblem(problem)
    weight = np.ones((p.oc, p.ic // p.g, p.kh, p.kw), np.float32)
    plan = pyconv.Conv2dPlan(p, weight, accuracy=accuracy, layout="nhwc", threads=1)
    x = np.ones((p.mb, p.ih, p.iw, p.ic), np.float32)
    out = np.empty((p.mb, p.oh, p.ow, p.oc), np.float32)
    return lambda: plan(x, out=out)


def line(p: pyconv.Conv2dProblem, changes: Mapping[str, int]) -> str:
    """The line of `p` with other sizes.

    >>> import pyconv
    >>> str(pyconv.Conv2dProblem(line(pyconv.Conv2dProblem("ic3oc4_ih8kh3ph1"), {"oc": 16})))
    'ic3oc16_ih8kh3ph1'
    """
    keys = ("mb", "g", "ic", "oc", "ih", "iw", "kh", "kw", "sh", "sw", "dh", "dw", "pt", "pl", "pb", "pr")
    return "".join(f"{key}{changes.get(key, getattr(p, key))}" for key in keys)


def named(layers: Sequence[Layer]) -> str:
    more = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    return f"{layers[0].name}{more}"


def sum_of(layers: Sequence[Layer]) -> float | None:
    if any(layer.seconds is None for layer in layers):
        return None
    return sum(layer.seconds or 0.0 for layer in layers)


def of_run(seconds: float | None, layers: Sequence[Layer]) -> str:
    whole = sum_of(layers)
    return f": {quantity(seconds, 's')}, {percent(seconds / whole)} of a run" if seconds and whole else ""


def dearest(layers: Sequence[Layer]) -> Layer:
    return max(layers, key=lambda layer: layer.seconds or layer.predicted_s)
