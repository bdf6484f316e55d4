"""compile(tune=True): the algorithms of every convolution, measured on this machine."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from pyconv import _core
from pyconv.model import Model, Options, _log, cpu_id

SECONDS = 8.0
"""Bound of the whole search, beyond what a single run of the network takes."""
LIKELY = 3.0
"""Algorithms whose estimated cost is beyond so many times the least are not tried."""
ROUNDS = 15


def tuned(model: Model, graph: _core.Graph) -> Model:
    """`model`, or one with other algorithms that was faster in interleaved rounds by more than their noise.

    One convolution at a time is given each likely algorithm within the whole network, since what a step
    costs depends on what the one before it leaves in the caches.
    """
    deadline = time.perf_counter() + SECONDS
    graph_inputs = [graph.value(i) for i in graph.inputs]
    generator = np.random.default_rng(0)
    arrays = [_noise(generator, shape, dtype) for _, dtype, shape, _ in graph_inputs]
    pins = _fastest_by_step(model, graph, arrays, deadline)
    if not pins:
        return model
    options = dataclasses.replace(model.options, tuned=pins, tuned_on=cpu_id())
    try:
        rival = Model(graph, options)
    except ValueError:  # the choices do not fit together, as under a memory limit
        return model
    default, other = _interleaved(model, rival, arrays)
    gain = float(np.median(default / other))
    _log.info("tuning: %d convolutions changed, %.3f times as fast", len(pins), gain)
    spread = float(np.subtract(*np.percentile(default / other, [75, 25])))
    return rival if gain > 1.0 + spread / np.sqrt(len(default)) else model


def _noise(generator: np.random.Generator, shape: Any, dtype: str) -> Any:
    if dtype == "float32":
        return generator.standard_normal(shape, np.float32)
    return generator.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def _fastest_by_step(model: Model, graph: _core.Graph, arrays: list[Any], deadline: float) -> dict[str, str]:
    steps = model._core.steps()
    default = np.median(model._core.profile(arrays, ROUNDS), axis=0)
    choices: dict[str, dict[str, float]] = {}
    for step, seconds in zip(steps, default):
        if step["op"] == "conv" and step["name"] not in model.options.algorithms:
            choices[step["name"]] = {step["algorithm"]: float(seconds)}
    trials = _trials(steps, choices)
    for trial in trials:
        if time.perf_counter() > deadline:
            break
        try:
            rival = Model(graph, _pinned(model.options, trial))
        except ValueError:
            continue
        seconds = np.median(rival._core.profile(arrays, ROUNDS), axis=0)
        again = np.median(model._core.profile(arrays, ROUNDS), axis=0)
        before = {s["name"]: t for s, t in zip(steps, again)}
        for step, taken in zip(rival._core.steps(), seconds):
            if trial.get(step["name"]) == step["algorithm"]:
                own = choices[step["name"]]
                default_name = next(iter(own))
                # Against the default of the same minute, so that a change of clock does not decide.
                own[step["algorithm"]] = own[default_name] * float(taken / before[step["name"]])
    best = {name: min(times, key=times.__getitem__) for name, times in choices.items()}
    return {
        name: algorithm
        for name, algorithm in best.items()
        if algorithm != next(iter(choices[name]))
        and choices[name][algorithm] < 0.97 * next(iter(choices[name].values()))
    }


def _trials(steps: list[dict[str, Any]], choices: dict[str, dict[str, float]]) -> list[dict[str, str]]:
    """Pins for whole networks: the i-th likely alternative of every convolution at once."""
    alternatives: dict[str, list[str]] = {}
    for step in steps:
        if step["name"] not in choices:
            continue
        accepted = sorted(
            (cost, name) for name, taken, _, cost, _ in step["candidates"]
            if taken and name not in ("reference", "separable")
        )  # fmt: skip
        likely = [name for cost, name in accepted if cost <= LIKELY * accepted[0][0]]
        alternatives[step["name"]] = [name for name in likely if name != step["algorithm"]]
    depth = max((len(names) for names in alternatives.values()), default=0)
    return [{name: names[i] for name, names in alternatives.items() if i < len(names)} for i in range(depth)]


def _pinned(options: Options, pins: dict[str, str]) -> Options:
    return dataclasses.replace(options, tuned=pins, tuned_on=cpu_id())


def _interleaved(first: Model, second: Model, arrays: list[Any]) -> tuple[Any, Any]:
    once = time.perf_counter()
    first._core.run(arrays, None)
    second._core.run(arrays, None)
    once = time.perf_counter() - once
    rounds = int(min(200, max(20, 1.0 / max(once, 1e-6))))
    seconds = np.empty((2, rounds))
    for i in range(rounds):
        for k, model in enumerate((first, second) if i % 2 else (second, first)):
            started = time.perf_counter()
            model._core.run(arrays, None)
            seconds[k if i % 2 else 1 - k, i] = time.perf_counter() - started
    return seconds[0], seconds[1]
