"""The study itself: the five kinds of convolution on one photograph, checked, then timed.

Every kind runs the algorithm that is fastest for it here, the normal convolution too; weights are
packed and outputs allocated beforehand, tensors are NHWC, caches are warm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv.study import machine, photo, reference, report, timing
from pyconv.study.cost import Cost, convolution_cost
from pyconv.study.result import NORMAL, Row, Step, Study

Array = NDArray[np.float32]
# A transform's error against the largest output may reach this; F(6x6, 3x3) was seen to reach 2e-5.
TRANSFORM_TOLERANCE = 1e-4
# Algorithms whose estimate is this many times the cheapest are not tried.
_HOPELESS = 5.0
_TRIAL_SECONDS = 0.004
_PEAK = "FMA peak"


# What was found fastest for a layer, by its id.
Choices = dict[int, list[str]]


class WrongResult(RuntimeError):
    """A convolution of the study did not give what float64 gives."""


@dataclass(frozen=True)
class Settings:
    channels: int = 128
    height: int = 56
    width: int = 56
    filters: int = 128
    kernel: int = 3
    threads: int = 1
    accuracy: str = "fast"
    rounds: int = 60
    sample_seconds: float = 0.003
    photo: Path | None = None

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "photo": str(self.photo) if self.photo else "astronaut.jpg (NASA)"}


class Progress(Protocol):
    """What the study tells while it works; the command line shows it as bars."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        """Within it, call what it gives once for each of `total` parts, with the part's name."""


class _Silence:
    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[str], None]]:
        return nullcontext(lambda part: None)


@dataclass(frozen=True)
class Layer:
    """A convolution with its weights, and what it costs when computed as it is meant."""

    problem: pyconv.Conv2dProblem
    weight: Array
    cost: Cost
    algorithms: Sequence[str] | None = None  # None: all that accept it


@dataclass(frozen=True)
class Contender:
    """One kind of convolution, and the ways to compute it: layers that run one after another."""

    name: str
    ways: Sequence[Sequence[Layer]]


@dataclass(frozen=True)
class Ready:
    """A contender with its plans and buffers: call it to run it."""

    name: str
    layers: Sequence[Layer]
    plans: Sequence[pyconv.Conv2dPlan]
    tensors: Sequence[Array]

    def __call__(self) -> Array:
        for plan, src, dst in zip(self.plans, self.tensors, self.tensors[1:]):
            plan(src, out=dst)
        return self.tensors[-1]

    def steps(self) -> list[Step]:
        described = [plan.describe() for plan in self.plans]
        return [
            Step(str(layer.problem), told["algorithm"], tuple(told["kernels"]), layer.cost)
            for layer, told in zip(self.layers, described)
        ]


def run(settings: Settings, progress: Progress | None = None) -> Study:
    """Measures the machine, checks every contender, times them against one another."""
    progress = progress or _Silence()
    with progress.stage("this machine's roofline", machine.STEPS) as done:
        roofline = machine.roofline(threads=settings.threads, refresh=True, keep=False, on_step=done)
    x = photo.features(photo.load(settings.photo), settings.height, settings.width, settings.channels)
    contenders = list_contenders(settings)
    ready: dict[str, Ready] = {}
    errors: dict[str, float] = {}
    chosen: Choices = {}
    with progress.stage("checking against float64", len(contenders)) as done:
        for contender in contenders:
            done(contender.name)
            if contender.name == report.PLAIN and _is_plain(ready[NORMAL]):
                continue
            candidate = prepare(contender, x, settings, chosen)
            errors[contender.name] = check(candidate, x)
            ready[contender.name] = candidate
    peaks = [roofline.peak_gflops]

    def probe_peak() -> None:
        peaks.append(machine.fma_peak(roofline.isa, threads=settings.threads, seconds=0.0))

    # The peak belongs to the same rounds: the clock of a CPU wanders by several percent.
    cases: dict[str, timing.Case] = {**ready, _PEAK: probe_peak}
    with progress.stage("timing in rounds", len(cases) * settings.rounds) as done:
        measured = timing.measure(
            cases, rounds=settings.rounds, sample_seconds=settings.sample_seconds, on_sample=done
        )
    rows = [Row(name, case.steps(), measured[name], errors[name]) for name, case in ready.items()]
    return Study(rows, replace(roofline, peak_gflops=max(peaks)), measured.conditions, settings.as_dict())


def list_contenders(settings: Settings) -> list[Contender]:
    """The kinds of convolution, each from `channels` maps to what it makes of them."""
    c, f, k = settings.channels, settings.filters, settings.kernel
    rng = np.random.default_rng(2012)
    normal = _layer(settings, rng, c, f, k, k)
    pointwise = _layer(settings, rng, c, f, 1, 1)
    depthwise = _layer(settings, rng, c, c, k, k, groups=c)
    plain = replace(normal, algorithms=_names(normal, "exact"))
    return [
        Contender(NORMAL, [[normal]]),
        Contender(report.PLAIN, [[plain]]),
        Contender(report.POINTWISE, [[pointwise]]),
        Contender(report.DEPTHWISE, [[depthwise]]),
        Contender(report.SPATIAL, _spatial_ways(settings, rng)),
        Contender(report.SEPARABLE, [[depthwise, pointwise]]),
    ]


def prepare(contender: Contender, x: Array, settings: Settings, chosen: Choices) -> Ready:
    """Packs the weights for the way and the algorithms that are fastest here. A layer that an
    earlier contender had runs as it did there."""
    ready = [_prepare_way(contender.name, layers, x, settings, chosen) for layers in contender.ways]
    return ready[_fastest(ready)]


def _prepare_way(name: str, layers: Sequence[Layer], x: Array, settings: Settings, chosen: Choices) -> Ready:
    tensors, plans = [x], []
    for layer in layers:
        dst = np.empty((1, layer.problem.oh, layer.problem.ow, layer.problem.oc), np.float32)
        plans.append(_fastest_plan(layer, tensors[-1], dst, settings, chosen))
        tensors.append(plans[-1](tensors[-1], out=dst))
    return Ready(name, layers, plans, tensors)


def check(ready: Ready, x: Array) -> float:
    """The error of the result over its largest magnitude; raises WrongResult past the bound.

    A chain of K multiply-adds is within (K + 2) u of the sum of magnitudes, and passes on what its
    input was off; a transform is within TRANSFORM_TOLERANCE of the largest output.
    """
    value, bound = x.astype(np.float64), np.zeros(x.shape)
    for layer, plan in zip(ready.layers, ready.plans):
        problem, magnitude = layer.problem, np.abs(layer.weight)
        exact = plan.describe()["algorithm"] in _names(layer, "exact")
        spread = _reference(problem, np.abs(value) + bound, magnitude)
        inherited = _reference(problem, bound, magnitude)
        value = _reference(problem, value, layer.weight)
        own = reference.sum_tolerance(magnitude[0].size) * spread
        bound = inherited + (own if exact else TRANSFORM_TOLERANCE * np.abs(value).max())
    got = ready()
    if not (np.abs(got - value) <= bound).all():
        algorithms = " + ".join(step.algorithm for step in ready.steps())
        error = reference.relative_error(got, value)
        raise WrongResult(f"{ready.name} ({algorithms}) differs from float64 by {error:.1e}")
    return reference.relative_error(got, value)


def _layer(
    settings: Settings, rng: np.random.Generator, ic: int, oc: int, kh: int, kw: int, groups: int = 1
) -> Layer:
    """A convolution of stride 1 that keeps the size, with weights drawn as He et al. do."""
    sides = f"pt{(kh - 1) // 2}pl{(kw - 1) // 2}pb{kh // 2}pr{kw // 2}"
    size = f"ih{settings.height}iw{settings.width}kh{kh}kw{kw}"
    problem = pyconv.Conv2dProblem(f"g{groups}ic{ic}oc{oc}_{size}{sides}")
    shape = (oc, ic // groups, kh, kw)
    weight = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
    return Layer(problem, weight, convolution_cost(problem))


def _spatial_ways(settings: Settings, rng: np.random.Generator) -> list[list[Layer]]:
    """A column and a row kernel per channel: as two depthwise convolutions, or as one whose kernels
    the engine finds to be separable. Either costs the two passes, and source and destination once."""
    c, k = settings.channels, settings.kernel
    passes = [_layer(settings, rng, c, c, kh, kw, groups=c) for kh, kw in ((k, 1), (1, k))]
    # Half precision makes each product of a column's and a row's tap exact in fp32.
    column, row = (replace(p, weight=p.weight.astype(np.float16).astype(np.float32)) for p in passes)
    whole = _layer(settings, rng, c, c, k, k, groups=c)
    first, second = replace(column.cost, dst=0), replace(row.cost, src=0)
    ways = [[replace(column, cost=first), replace(row, cost=second)]]
    whole = replace(whole, weight=column.weight * row.weight, cost=first + second, algorithms=["separable"])
    if "separable" in _names(whole, settings.accuracy):
        ways.append([whole])
    return ways


def _names(layer: Layer, accuracy: str) -> list[str]:
    """Algorithms that accept the layer, cheapest estimate first, without the hopeless ones."""
    p = layer.problem
    entries = pyconv.algorithms(
        (p.mb, p.ic, p.ih, p.iw),
        layer.weight.shape,
        padding=(p.pt, p.pb, p.pl, p.pr),
        groups=p.g,
        accuracy=accuracy,
        layout="nhwc",
        weight=layer.weight,
    )
    accepted = sorted((e for e in entries if e.accepted), key=lambda e: e.cost)
    return [e.name for e in accepted if e.cost <= _HOPELESS * accepted[0].cost]


def _fastest_plan(
    layer: Layer, src: Array, dst: Array, settings: Settings, chosen: Choices
) -> pyconv.Conv2dPlan:
    names = chosen.get(id(layer)) or _names(layer, settings.accuracy)
    if layer.algorithms is not None:
        names = [name for name in names if name in layer.algorithms] or list(layer.algorithms)
    plans = [
        pyconv.Conv2dPlan(
            layer.problem,
            layer.weight,
            algorithm=name,
            accuracy=settings.accuracy,
            layout="nhwc",
            threads=settings.threads,
        )
        for name in names
    ]
    best = _fastest([partial(plan, src, dst) for plan in plans])
    chosen[id(layer)] = [names[best]]
    return plans[best]


def _fastest(cases: Sequence[timing.Case]) -> int:
    if len(cases) == 1:
        return 0
    trial = timing.measure(
        {str(index): case for index, case in enumerate(cases)}, rounds=5, sample_seconds=_TRIAL_SECONDS
    )
    return int(min(trial, key=lambda name: trial[name].minimum))


def _reference(problem: pyconv.Conv2dProblem, x: NDArray[np.float64], weight: Array) -> NDArray[np.float64]:
    padding = (problem.pt, problem.pb, problem.pl, problem.pr)
    return reference.conv2d(x, weight, padding=padding, groups=problem.g)


def _is_plain(normal: Ready) -> bool:
    """Whether the best way was no transform, so that the plain sum needs no row of its own."""
    return normal.plans[0].algorithm in _names(normal.layers[0], "exact")
