"""Where the time of one network goes: every step against the least time that this machine allows it.

The bound of a step is the larger of its FLOPs at the FMA peak and of its bytes at measured bandwidth:
activations from the level of memory that holds those of the step, weights from the level that holds all
weights of the network, since each is read once a run. A Winograd step is held against the products of
its transformed tiles, and reads the weights in that form; transforms are not in the bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import pyconv
from pyconv.study import machine
from pyconv.study.timing import sample

from .. import harness
from ..problems import Array

BLOCKS, ROUNDS = 8, 4
WINOGRAD = {"winograd_f2": 2, "winograd_f4": 4, "winograd_f6": 6}
"""Edge of the output tile."""


@dataclass(frozen=True)
class Layer:
    """A step of the plan, its time in the run (median, seconds), and its bound."""

    name: str
    op: str
    algorithm: str
    problem: str
    macs: int
    seconds: float
    compute_seconds: float
    traffic_seconds: float

    @property
    def bound(self) -> float:
        return max(self.compute_seconds, self.traffic_seconds)

    @property
    def gap(self) -> float:
        return self.seconds - self.bound

    @property
    def bound_by(self) -> str:
        return "FLOPs" if self.compute_seconds >= self.traffic_seconds else "bytes"


@dataclass(frozen=True)
class Profile:
    """All steps of one network, in order; seconds of a whole run of the same minutes; GFLOP/s of the peak."""

    layers: tuple[Layer, ...]
    run_seconds: float
    peak_gflops: float

    def largest_gaps(self, count: int | None = None) -> list[Layer]:
        return sorted(self.layers, key=lambda layer: -layer.gap)[:count]


def profiled(model: pyconv.Model, src: Array, isa: str | None = None) -> Profile:
    """Profiles blocks of runs, with the FMA peak and whole runs between them."""
    threads = model.options.threads or 1
    model.warmup()
    medians, runs, peaks = [], [], []
    for _ in range(BLOCKS):
        peaks.append(machine.fma_peak(isa, threads=threads, seconds=harness.PEAK_SECONDS))
        model(src)
        runs.append(sample(partial(model, src), ROUNDS))
        steps = model.profile(src, rounds=ROUNDS)
        medians.append([step["seconds"] for step in steps])
    seconds = np.median(np.array(medians), axis=0)
    weights = 4 * sum(step["parameters"] for step in steps)
    peak = float(np.median(peaks))
    images = model.describe()["images"]  # of which the steps are one
    layers = tuple(
        _of_all(_layer(step, s, peak, weights, isa), images) for step, s in zip(steps, seconds.tolist())
    )
    return Profile(layers, float(np.median(runs)), peak)


def _layer(step: Mapping[str, Any], seconds: float, peak: float, weights: int, isa: str | None) -> Layer:
    flops, parameters = 2 * step["macs"], 4 * step["parameters"]
    products, transformed = _transformed(step["algorithm"], step["problem"])
    read = sum(value["bytes"] for value in step["inputs"] if value is not None)
    written = sum(value["bytes"] for value in step["outputs"])
    traffic = harness.traffic_seconds(read, written, isa)
    if parameters:
        traffic += harness.read_seconds(transformed * parameters, weights, isa)
    return Layer(
        name=step["name"],
        op=step["op"],
        algorithm=step["algorithm"],
        problem=step["problem"] or "x".join(map(str, step["outputs"][0]["shape"])),
        macs=step["macs"],
        seconds=seconds,
        compute_seconds=products * flops * 1e-9 / peak,
        traffic_seconds=traffic,
    )


def _of_all(layer: Layer, images: int) -> Layer:
    return replace(
        layer,
        macs=images * layer.macs,
        seconds=images * layer.seconds,
        compute_seconds=images * layer.compute_seconds,
        traffic_seconds=images * layer.traffic_seconds,
    )


def _transformed(algorithm: str, problem: str | None) -> tuple[float, float]:
    """Products for each product of the direct form, and weights for each of its weights."""
    if algorithm not in WINOGRAD or not problem:
        return 1.0, 1.0
    out, p = WINOGRAD[algorithm], pyconv.Conv2dProblem(problem)
    tile = p.sh * (out - 1) + p.kh
    return (tile / (p.kh * out)) ** 2, ((out + p.kh - 1) / p.kh) ** 2


LAYER_COLUMNS: tuple[harness.Column, ...] = (
    ("layer", 30, "s"), ("op", 15, "s"), ("algorithm", 13, "s"), ("MMAC", 7, ".1f"), ("us", 8, ".1f"),
    ("run", 6, ".1%"), ("peak", 6, ".1%"), ("band", 6, ".1%"), ("bound", 8, ".1f"), ("by", 5, "s"),
    ("gap", 8, ".1f"), ("problem", 40, "s"),
)  # fmt: skip


def report(title: str, profile: Profile, count: int | None = None) -> harness.Report:
    """The steps with the largest gaps, then sums by operator and algorithm, then of all."""
    table = harness.Report(title, LAYER_COLUMNS, quiet=True)
    total = sum(layer.seconds for layer in profile.layers)
    for layer in profile.largest_gaps(count):
        words = {"layer": layer.name[-30:], "op": layer.op, "algorithm": layer.algorithm}
        table.add({**words, **_figures([layer], total, profile.peak_gflops), "problem": layer.problem})
    groups: dict[tuple[str, str], list[Layer]] = {}
    for layer in profile.layers:
        groups.setdefault((layer.op, layer.algorithm), []).append(layer)
    for (op, algorithm), group in sorted(groups.items(), key=lambda item: -sum(x.gap for x in item[1])):
        words = {"layer": f"sum of {len(group)}", "op": op, "algorithm": algorithm}
        table.add({**words, **_figures(group, total, profile.peak_gflops), "problem": ""})
    words = {"layer": f"sum of {len(profile.layers)}", "op": "all", "algorithm": "", "problem": ""}
    table.add({**words, **_figures(profile.layers, total, profile.peak_gflops)})
    whole = 1e6 * profile.run_seconds
    table.note(
        f"whole run {whole:.0f} us, steps {1e6 * total:.0f} us, FMA peak {profile.peak_gflops:.0f} GFLOP/s"
    )
    return table


def _figures(layers: Sequence[Layer], total: float, peak: float) -> dict[str, object]:
    seconds, macs = sum(layer.seconds for layer in layers), sum(layer.macs for layer in layers)
    by_compute = sum(layer.compute_seconds for layer in layers if layer.bound_by == "FLOPs")
    bound = sum(layer.bound for layer in layers)
    return {
        "MMAC": macs / 1e6, "us": seconds * 1e6, "run": seconds / total, "peak": 2e-9 * macs / seconds / peak,
        "band": sum(layer.traffic_seconds for layer in layers) / seconds, "bound": bound * 1e6,
        "by": "FLOPs" if 2 * by_compute >= bound else "bytes", "gap": (seconds - bound) * 1e6,
    }  # fmt: skip
