"""What an approximation gains: the old and the new network run by turns, layer beside layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pyconv
from pyconv.model import Model
from pyconv.study import timing
from pyconv.study.approximate import Approximation
from pyconv.study.network_counts import executed_macs
from pyconv.study.network_timing import zeros
from pyconv.study.timing import Conditions, Timing

NOISE = 0.03
"""A chain must be faster by more than this share to count as faster."""
_TURN = 3


@dataclass(frozen=True)
class Gain:
    """Some layers before and after. Where steps were fused, the layers that share one are taken together.
    ``algorithms`` are those of the steps, ``executed_macs`` what they multiply."""

    names: tuple[str, ...]
    before: Timing
    after: Timing
    algorithms: tuple[str, str] = ("", "")
    executed_macs: tuple[int, int] = (0, 0)

    @property
    def ratio(self) -> float:
        """How many times as fast: best round against best round."""
        return self.before.minimum / self.after.minimum if self.after.minimum else 1.0

    def as_dict(self) -> dict[str, object]:
        return {
            "layers": list(self.names),
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "time_ratio": self.ratio,
            "algorithms": list(self.algorithms),
            "executed_macs": list(self.executed_macs),
        }


@dataclass(frozen=True)
class Gains:
    whole: Gain
    layers: Sequence[Gain]
    conditions: Conditions = field(default_factory=lambda: Conditions(0.0))

    def of(self, name: str) -> Gain | None:
        return next((gain for gain in self.layers if name in gain.names), None)

    def as_dict(self) -> dict[str, object]:
        return {
            "whole": self.whole.as_dict(),
            "layers": [gain.as_dict() for gain in self.layers],
            "conditions": self.conditions.as_dict(),
        }


class Steps:
    """Case of `timing.measure`: a model run step by step, of which the first run warms up."""

    def __init__(self, model: Model, turn: int = _TURN) -> None:
        self.model, self.turn = model, turn
        self._arrays = zeros(model)
        self._rows: list[Any] = []

    def __call__(self) -> None:
        self._rows.append(self.model._core.profile(self._arrays, self.turn)[1:])

    def seconds(self) -> Any:
        """(runs, steps); without the very first call."""
        return np.concatenate(self._rows[1:] or self._rows)


def gains(found: Approximation, *, seconds: float = 5.0, **options: Any) -> Gains:
    """Compiles the network as it was and as it has become, with the same options, and runs them by turns.

    >>> import pyconv
    >>> from pyconv.study.approximate import approximate
    >>> net = pyconv.zoo.lenet5(pretrained=True)
    >>> found = gains(approximate(net, (1, 1, 28, 28), method="spatial", tolerance=0.4), seconds=0.05)
    >>> [gain.names for gain in found.layers][:1]
    [('conv1',)]
    """
    before, after = pyconv.compile(found.original, **options), found.compile(**options)
    cases = {"before": Steps(before), "after": Steps(after)}
    run = timing.measure(cases, rounds=200, sample_seconds=1e-9, budget_seconds=seconds)
    models = (before, after)
    owners = [_owners(model, [layer.name for layer in found.layers]) for model in models]
    tables = [case.seconds() for case in cases.values()]
    layers = []
    for names in _groups([*owners[0], *owners[1]]):
        held = [[i for i, own in enumerate(side) if own & names] for side in owners]
        layers.append(_gain(sorted(names), models, tables, held))
    every = [list(range(table.shape[1])) for table in tables]
    return Gains(_gain(["network"], models, tables, every), layers, run.conditions)


def faster(found: Approximation, measured: Gains) -> Approximation:
    """With the chains alone that were measured to be faster than their layers."""
    kept = {name for gain in measured.layers if gain.ratio > 1 + NOISE for name in gain.names}
    return found.only(kept, "its chain was measured to be no faster")


def _gain(
    names: Iterable[str], models: Sequence[Model], tables: Sequence[Any], held: Sequence[Sequence[int]]
) -> Gain:
    """Of the steps `held` of either model."""
    sums = [table[:, own].sum(axis=1) for table, own in zip(tables, held)]
    before, after = (Timing(name, tuple(s.tolist())) for name, s in zip(("before", "after"), sums))
    steps = [[model._core.steps()[i] for i in own] for model, own in zip(models, held)]
    first, second = (" + ".join(step["algorithm"] for step in own if step["algorithm"]) for own in steps)
    done = [sum(map(executed, own)) for own in steps]
    return Gain(tuple(names), before, after, (first, second), (done[0], done[1]))


def executed(step: Mapping[str, Any]) -> int:
    """MACs of a step of `Model.describe` as its algorithm multiplies."""
    macs: int = step["macs"]
    if not step["problem"]:
        return macs
    found = executed_macs(step["algorithm"], pyconv.Conv2dProblem(step["problem"]))
    return macs if found is None else found


def _owners(model: Model, layers: Sequence[str]) -> list[set[str]]:
    """For each step the layers that it computes, or has stages of."""
    found = []
    for step in model._core.steps():
        parts = (step["name"], *step["absorbed"])
        found.append({name for name in layers if any(p == name or p.startswith(f"{name}.") for p in parts)})
    return found


def _groups(owners: Sequence[set[str]]) -> list[set[str]]:
    """Layers that some step has together, in the order of the steps."""
    groups: dict[str, set[str]] = {}
    for own in owners:
        joined = own.union(*(groups.get(name, set()) for name in own))
        for name in joined:
            groups[name] = joined
    return list({id(group): group for group in groups.values()}.values())


def by_name(measured: Gains | None) -> Mapping[str, Gain]:
    return {} if measured is None else {name: gain for gain in measured.layers for name in gain.names}
