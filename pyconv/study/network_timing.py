"""Seconds of every step of a network, and of the algorithms that it did not take.

An algorithm is measured where it would run: a second model has the i-th likely alternative of every
convolution at once, and the two run by turns, so that caches hold what the step before left in them.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyconv.model import Model, cpu_id
from pyconv.study import machine, timing
from pyconv.study.timing import Conditions, Timing

HOPELESS = 5.0
"""Algorithms whose estimated cost is beyond so many times the least are not run."""
_TURN = 4
_SLOW_TURN = 2
_SLOW_SECONDS = 0.03
_NEVER_TRIED = ("reference", "separable")


@dataclass(frozen=True)
class Rival:
    """An algorithm in place of the one taken, which ran by turns with it. ``ratio`` is its median time over
    that of the one taken, ``best_ratio`` its least time over the least of the one taken."""

    timing: Timing
    ratio: float
    best_ratio: float


@dataclass(frozen=True)
class Measured:
    """Timings of the steps in order, of rivals by (step, algorithm), of whole runs, and the FMA peak of the
    same minutes."""

    steps: Sequence[Timing]
    rivals: Mapping[tuple[str, str], Rival]
    whole: Timing
    peak_gflops: float
    conditions: Conditions = field(default_factory=lambda: Conditions(0.0))


class _Profile:
    """Case of `timing.measure`: some runs, of which the first finds the caches full of other things."""

    def __init__(self, model: Model, arrays: list[Any]) -> None:
        self.model, self.arrays = model, arrays
        self.rows: list[Any] = []
        self.turn = _TURN

    def __call__(self) -> None:
        self.rows.append(self.model._core.profile(self.arrays, self.turn)[1:])
        if len(self.rows) == 1 and self.rows[0].sum(axis=1).min() > _SLOW_SECONDS:
            self.turn = _SLOW_TURN

    def seconds(self) -> Any:
        """(runs, steps), without the call that warmed up."""
        return np.concatenate(self.rows[1:])


def zeros(model: Model) -> list[Any]:
    """Inputs for the model. What a kernel takes does not depend on the values."""
    graph = model.graph
    return [np.zeros(graph.value(i)[2], graph.value(i)[1]) for i in graph.inputs]


def measure(
    model: Model,
    *,
    seconds: float = 10.0,
    threads: int = 1,
    rivals: bool = True,
    on_step: Callable[[str], None] | None = None,
) -> Measured:
    """Runs `model` on zeros for about `seconds`, with `rivals` beside models of other algorithms, the
    cheapest by their estimates first: where time is short the others are left out."""
    say = on_step or (lambda _: None)
    steps = model._core.steps()
    others = trials(steps) if rivals else []
    share = seconds / (len(others) + 1)
    deadline = time.perf_counter() + seconds
    peaks: list[float] = []

    def probe() -> None:
        peaks.append(machine.fma_peak(model.options.max_isa, threads=threads, seconds=0.001))

    say("the network")
    own = _Profile(model, zeros(model))
    run = timing.measure({"own": own, "peak": probe}, rounds=60, sample_seconds=1e-9, budget_seconds=share)
    found: dict[tuple[str, str], Rival] = {}
    for number, pins in enumerate(others, 1):
        if time.perf_counter() > deadline:  # three rounds of a slow network take longer than its share
            break
        say(f"other algorithms, {number} of {len(others)}")
        found.update(_against(model, steps, pins, share))
    rows = own.seconds()
    return Measured(
        [Timing(step["name"], tuple(column)) for step, column in zip(steps, rows.T.tolist())],
        found,
        Timing("network", tuple(rows.sum(axis=1).tolist())),
        max(peaks),
        run.conditions,
    )


def trials(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Pins for whole networks: the i-th cheapest alternative of every convolution at once."""
    others: dict[str, list[str]] = {}
    for step in steps:
        accepted = sorted(
            (cost, name)
            for name, taken, _, cost, _ in step["candidates"]
            if taken and name not in _NEVER_TRIED
        )
        others[step["name"]] = [
            name for cost, name in accepted if name != step["algorithm"] and cost <= HOPELESS * accepted[0][0]
        ]
    depth = max((len(names) for names in others.values()), default=0)
    return [{step: names[i] for step, names in others.items() if i < len(names)} for i in range(depth)]


def _against(
    model: Model, steps: Sequence[Mapping[str, Any]], pins: dict[str, str], seconds: float
) -> dict[tuple[str, str], Rival]:
    pinned = {**model.options.pins, **pins}
    try:
        other = Model(model.graph, dataclasses.replace(model.options, tuned=pinned, tuned_on=cpu_id()))
    except ValueError:  # the choices do not fit together, as under a memory limit
        return {}
    arrays = zeros(model)
    taken, rival = _Profile(model, arrays), _Profile(other, arrays)
    timing.measure({"taken": taken, "rival": rival}, rounds=30, sample_seconds=1e-9, budget_seconds=seconds)
    names = [step["name"] for step in steps]
    usual, least = (dict(zip(names, of(taken.seconds(), axis=0))) for of in (np.median, np.min))
    found = {}
    for step, column in zip(other._core.steps(), rival.seconds().T):
        name, algorithm = step["name"], step["algorithm"]
        if pins.get(name) == algorithm and usual.get(name):
            measured = Timing(algorithm, tuple(column.tolist()))
            found[name, algorithm] = Rival(
                measured, float(np.median(column) / usual[name]), float(column.min() / least[name])
            )
    return found
