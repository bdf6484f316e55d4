"""Why each layer of a compiled network is as fast as it is: counts, bounds, predictions, measurements.

`study` takes a `Model` and gives a `Network` (network_result.py): plain data, which `pyconv.study.page` draws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyconv
from pyconv.model import Model
from pyconv.study import (
    machine,
    network_counts,
    network_errors,
    network_ladder,
    network_lint,
    network_timing,
)
from pyconv.study.cost import FLOPS_PER_MAC
from pyconv.study.machine import Roofline
from pyconv.study.network_result import VERSION as VERSION
from pyconv.study.network_result import Candidate as Candidate
from pyconv.study.network_result import Ladder as Ladder
from pyconv.study.network_result import Layer as Layer
from pyconv.study.network_result import Network as Network
from pyconv.study.network_result import Place as Place
from pyconv.study.network_traffic import Traffic, traffic


def study(
    model: Model,
    *,
    name: str = "network",
    measure: bool = False,
    seconds: float = 10.0,
    ladder: bool = False,
    roofline: Roofline | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Network:
    """Counts, bounds and predictions for every step of `model`; with `measure`, also times.

    Args:
        measure: run it on zeros, and beside it with the other likely algorithms.
        seconds: about how long that may take.
        ladder: climb from Python loops to Winograd with the dearest dense layer, for some seconds.
        roofline: the machine's; None: measured, or taken from the cache of `pyconv.study.machine`.
        on_step: called with what is done next.

    >>> import pyconv
    >>> from pyconv import nn
    >>> found = study(pyconv.compile(nn.Conv2d(16, 16, 3, padding=1), (1, 16, 7, 7)))
    >>> layer = found.layers[0]
    >>> layer.macs, layer.padding_macs
    (112896, 20480)
    """
    steps = model._core.steps()
    threads = max((step["threads"] for step in steps), default=1)
    if roofline is None:
        roofline = machine.roofline(model.options.max_isa, threads=threads)
    measured: network_timing.Measured | None = None
    errors: Errors = {}
    if measure:
        measured = network_timing.measure(model, seconds=seconds, threads=threads, on_step=on_step)
        errors = _errors(model, steps, measured, seconds / 2)
        roofline = dataclasses.replace(roofline, peak_gflops=measured.peak_gflops)
    layers = [
        _layer(index, step, operands, roofline, measured, errors)
        for index, (step, operands) in enumerate(zip(steps, traffic(steps, roofline)))
    ]
    return Network(
        name,
        model.input_shapes,
        model.output_shapes,
        dataclasses.asdict(model.options),
        roofline,
        layers,
        model.arena_bytes,
        model.weight_bytes,
        network_lint.findings(layers, model.options.accuracy, measure=measure),
        measured.whole if measured else None,
        measured.conditions if measured else None,
        model._core.rewrites(),
        _ladder(steps) if ladder else None,
        max(1, model.describe()["images"]),
    )


def _ladder(steps: Sequence[Mapping[str, Any]]) -> Ladder | None:
    step = network_ladder.layer_of(steps)
    if step is None:
        return None
    problem = step["problem"]
    return Ladder(step["name"], problem, step["macs"], network_ladder.climb(problem))


def cycles_per_second(roofline: Roofline) -> float:
    """Of one core, in the cycles that algorithms estimate: in each, two vectors of fused multiply-adds retire,
    or fewer where the CPU's own are narrower."""
    lanes = network_counts.LANES.get(roofline.isa, 1)
    narrower: float = min(1.0, pyconv._core.cpu_info()["simd_bits"] / (32 * lanes))
    flops = 2 * FLOPS_PER_MAC * lanes * narrower
    return roofline.peak_gflops * 1e9 / roofline.threads / flops


Errors = Mapping[tuple[str, str], float]
"""By problem and algorithm."""


def _errors(
    model: Model, steps: Sequence[Mapping[str, Any]], measured: network_timing.Measured, seconds: float
) -> Errors:
    """Of the algorithms that ran: those taken, and those beside them."""
    taken = [(step["problem"], step["algorithm"]) for step in steps if step["problem"]]
    problems = {step["name"]: step["problem"] for step in steps}
    rivals = [(problems[name], algorithm) for name, algorithm in measured.rivals]
    options = model.options
    return network_errors.errors(
        [*taken, *rivals], accuracy=options.accuracy, max_isa=options.max_isa, seconds=seconds
    )


def _layer(
    index: int,
    step: Mapping[str, Any],
    operands: tuple[Traffic, ...],
    roofline: Roofline,
    measured: network_timing.Measured | None,
    errors: Errors,
) -> Layer:
    problem = pyconv.Conv2dProblem(step["problem"]) if step["problem"] else None
    candidates = _candidates(step, problem, roofline, measured, errors)
    taken = next((c for c in candidates if c.algorithm == step["algorithm"]), None)
    executed = step["macs"] if taken is None or taken.executed_macs is None else taken.executed_macs
    per_thread = roofline.peak_gflops * 1e9 / roofline.threads * step["threads"]
    return Layer(
        index=index,
        name=step["name"],
        op=step["op"],
        absorbed=tuple(step["absorbed"]),
        problem=step["problem"],
        shape=tuple(step["outputs"][0]["shape"]),
        algorithm=step["algorithm"],
        kernels=step["kernels"],
        threads=step["threads"],
        parameters=step["parameters"],
        macs=step["macs"],
        padding_macs=network_counts.padding_macs(problem) if problem else None,
        executed_macs=executed,
        traffic=operands,
        workspace_offset=step["workspace_offset"],
        workspace_bytes=step["workspace_bytes"],
        places=tuple(Place.of(tensor) for tensor in step["outputs"]),
        compute_s=FLOPS_PER_MAC * executed / per_thread,
        estimate_s=taken.predicted_s if taken else None,
        candidates=candidates,
        timing=measured.steps[index] if measured else None,
        isa=roofline.isa,
    )


def _candidates(
    step: Mapping[str, Any],
    problem: pyconv.Conv2dProblem | None,
    roofline: Roofline,
    measured: network_timing.Measured | None,
    errors: Errors,
) -> tuple[Candidate, ...]:
    rate = cycles_per_second(roofline) * step["threads"]
    found = []
    for algorithm, accepted, reason, cycles, workspace in step["candidates"]:
        rival = measured.rivals.get((step["name"], algorithm)) if measured else None
        executed = network_counts.executed_macs(algorithm, problem) if problem and accepted else None
        predicted = cycles / rate if accepted else None
        found.append(
            Candidate(
                algorithm,
                accepted,
                reason,
                cycles,
                predicted,
                workspace,
                executed,
                rival.timing if rival else None,
                rival.ratio if rival else None,
                errors.get((step["problem"], algorithm)),
            )  # fmt: skip
        )
    return tuple(found)
