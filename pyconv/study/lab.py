"""The factorisation lab: one layer, and the cheaper convolutions that could stand in its place, all timed.

Each kind is a small network: it is planned, fused and given the algorithms that are fastest here, as any other,
and the layer that it replaces is too. That is the fair rival; beside it stands the layer's plain sum. Steps
that only bring pictures into another order at either end are not counted: inside a network there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pyconv
from pyconv.graph import GraphBuilder, Tensor, recording
from pyconv.model import Model
from pyconv.study import machine, network, timing
from pyconv.study.factorize import shapes as stages_of
from pyconv.study.factors import Geometry, Shape
from pyconv.study.gains import Steps
from pyconv.study.machine import Roofline
from pyconv.study.network_result import Layer
from pyconv.study.timing import Conditions, Timing

NORMAL, PLAIN = "normal", "normal, plain sum"
GROUPED, DEPTHWISE, POINTWISE = "grouped", "depthwise", "pointwise"
SPATIAL, PASSES = "spatially separable", "two passes"
SEPARABLE, BOTTLENECK = "depthwise-separable", "bottleneck"
INVERTED, SQUEEZE = "inverted residual", "squeeze-excite"
LECTURES = (NORMAL, DEPTHWISE, SPATIAL, POINTWISE)
"""The first page: what the lectures' table has."""
ALIKE = (GROUPED, PASSES, SEPARABLE, BOTTLENECK)
"""Kinds that make as many channels of as many as the layer does."""


@dataclass(frozen=True)
class Knobs:
    """What the kinds leave open; None: what suits the layer."""

    groups: int | None = None
    expansion: int = 6
    reduction: int = 4
    squeeze: int = 16
    rank: int | None = None


@dataclass(frozen=True)
class Kind:
    """Stages in place of a layer. ``formula`` is the number of weights: C channels in, H out, K x K taps."""

    name: str
    formula: str
    shapes: tuple[Shape, ...]
    geometry: Geometry
    residual: bool = False
    squeezed: int = 0


@dataclass(frozen=True)
class Row:
    """A kind, planned and timed. ``layers`` are its steps, ``seconds`` the best round of each."""

    kind: Kind
    parameters: int
    macs: int
    executed_macs: int
    moved_bytes: int
    held_bytes: int
    predicted_s: float
    timing: Timing
    layers: Sequence[Layer]
    seconds: Sequence[float]

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def best_s(self) -> float:
        return self.timing.minimum

    @property
    def algorithm(self) -> str:
        return " + ".join(layer.algorithm or layer.op for layer in self.layers if layer.macs)


@dataclass(frozen=True)
class Lab:
    """All kinds for one layer; the first row is the layer itself, the second its plain sum."""

    problem: str
    rows: Sequence[Row]
    refused: Mapping[str, str]
    roofline: Roofline
    conditions: Conditions = field(default_factory=lambda: Conditions(0.0))

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def mac_ratio(self, row: Row) -> float:
        """How many times fewer MACs than the layer."""
        return self.rows[0].macs / row.macs

    def time_ratio(self, row: Row, rival: str = NORMAL) -> float:
        """How many times as fast as the layer, or as its plain sum."""
        return self[rival].best_s / row.best_s

    def as_dict(self) -> dict[str, object]:
        from pyconv.study import lab_words

        return {
            "problem": self.problem,
            "roofline": self.roofline.as_dict(),
            "conditions": self.conditions.as_dict(),
            "refused": dict(self.refused),
            "rows": [
                {
                    "name": row.name,
                    "weights": row.kind.formula,
                    "stages": [layer.problem or layer.op for layer in row.layers],
                    "algorithms": [layer.algorithm for layer in row.layers],
                    "parameters": row.parameters,
                    "macs": row.macs,
                    "executed_macs": row.executed_macs,
                    "moved_bytes": row.moved_bytes,
                    "held_bytes": row.held_bytes,
                    "predicted_s": row.predicted_s,
                    **row.timing.as_dict(),
                    "mac_ratio": self.mac_ratio(row),
                    "time_ratio": self.time_ratio(row),
                    "time_ratio_to_plain_sum": self.time_ratio(row, PLAIN) if self.has_plain else None,
                    "sentence": lab_words.sentence(self, row),
                }
                for row in self.rows
            ],
        }

    @property
    def has_plain(self) -> bool:
        return any(row.name == PLAIN for row in self.rows)


def kinds(p: pyconv.Conv2dProblem, knobs: Knobs | None = None) -> tuple[list[Kind], dict[str, str]]:
    """The kinds that can stand in place of the dense layer `p`, and why the others can't.

    >>> found, refused = kinds(pyconv.Conv2dProblem("ic3oc64_ih32kh3ph1"))
    >>> [kind.name for kind in found][:3], refused
    (['normal', 'depthwise', 'pointwise'], {'grouped': 'no number of groups divides 3 and 64 channels'})
    """
    knobs = knobs or Knobs()
    if p.g != 1:
        raise ValueError(f"problem: expected a layer without groups, got {p}")
    if p.kh * p.kw == 1:
        raise ValueError(f"problem: expected a kernel of several taps, got {p}")
    both = {"rows": True, "columns": True}
    c, h, kh, kw = p.ic, p.oc, p.kh, p.kw
    refused: dict[str, str] = {}
    deep, wide = Shape(c, c, c, kh, kw, **both), Shape(h, c)
    found = [Kind(NORMAL, "C*K*K*H", (Shape(h, c, 1, kh, kw, **both),), p)]
    groups = _groups(p, knobs, refused)
    if groups:
        found.append(Kind(GROUPED, "C*K*K*H/G", (Shape(h, c, groups, kh, kw, **both),), p))
    found.append(Kind(DEPTHWISE, "C*K*K", (deep,), p))
    point = pyconv.Conv2dProblem(f"mb{p.mb}ic{c}oc{h}_ih{p.ih}iw{p.iw}kh1kw1sh{p.sh}sw{p.sw}")
    found.append(Kind(POINTWISE, "C*H", (Shape(h, c, **both),), point))
    column, row = Shape(c, c, c, kh=kh, rows=True), Shape(c, c, c, kw=kw, columns=True)
    found.append(Kind(SPATIAL, "C*(K+K)", (column, row), p))
    most = min(c * kh, kw * h)
    rank = max(1, min(c, h) // 2) if knobs.rank is None else knobs.rank
    if not 1 <= rank <= most:
        raise ValueError(f"rank: expected 1 to {most} for {p}, got {rank}")
    found.append(Kind(PASSES, "R*K*(C+H)", stages_of("spatial", (h, c, kh, kw), rank), p))
    found.append(Kind(SEPARABLE, "C*K*K + C*H", (deep, wide), p))
    narrow = max(1, min(c, h) // knobs.reduction)
    inner = (Shape(narrow, c), Shape(narrow, narrow, 1, kh, kw, **both), Shape(h, narrow))
    found.append(Kind(BOTTLENECK, "C*M + M*K*K*M + M*H", inner, p))
    t = c * knobs.expansion
    same = c == h and (p.ih, p.iw) == (p.oh, p.ow)
    blown = (Shape(t, c), Shape(t, t, t, kh, kw, **both), Shape(h, t))
    found.append(Kind(INVERTED, "T*C*(C + K*K + H)", blown, p, residual=same))
    squeezed = max(1, h // knobs.squeeze)
    found.append(Kind(SQUEEZE, "C*K*K*H + 2*H*H/S", found[0].shapes, p, squeezed=squeezed))
    return found, refused


def _groups(p: pyconv.Conv2dProblem, knobs: Knobs, refused: dict[str, str]) -> int:
    """Those asked for, else the first of 4, 8, 2, 3 that divides the channels; 0 for none."""
    if knobs.groups is not None:
        if knobs.groups < 1 or p.ic % knobs.groups or p.oc % knobs.groups:
            raise ValueError(f"groups: expected a divisor of {p.ic} and {p.oc}, got {knobs.groups}")
        return knobs.groups
    fitting = [g for g in (4, 8, 2, 3) if p.ic % g == 0 and p.oc % g == 0]
    if not fitting:
        refused[GROUPED] = f"no number of groups divides {p.ic} and {p.oc} channels"
    return fitting[0] if fitting else 0


def run(
    problem: str,
    *,
    knobs: Knobs | None = None,
    names: Sequence[str] | None = None,
    threads: int = 1,
    seconds: float = 5.0,
    tune: bool = True,
    roofline: Roofline | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Lab:
    """Plans the kinds for a layer and times them by turns.

    Args:
        problem: the layer's line; dense, of several taps.
        names: of the kinds beside the layer itself and its plain sum; None: all.
        seconds: about how long the timing takes; choosing algorithms comes before that.
        tune: measure the algorithms of each kind too, in place of trusting estimates.
        on_step: called with what is done next.

    >>> found = run("ic8oc8_ih9kh3ph1", seconds=0.01, tune=False)
    >>> [row.name for row in found.rows][:3], found.mac_ratio(found["depthwise-separable"])
    (['normal', 'normal, plain sum', 'grouped'], 4.235294117647059)
    """
    say = on_step or (lambda _: None)
    found, refused = kinds(pyconv.Conv2dProblem(problem), knobs)
    if names is not None:
        found = [kind for kind in found if kind.name in (NORMAL, *names)]
    if roofline is None:
        roofline = machine.roofline(threads=threads)
    models: dict[str, tuple[Kind, Model]] = {}
    for kind in found:
        say(kind.name)
        models[kind.name] = kind, built(kind, threads=threads, tune=tune)
        if kind.name == NORMAL:
            models[PLAIN] = (
                Kind(PLAIN, kind.formula, kind.shapes, kind.geometry),
                built(kind, threads=threads, tune=tune, accuracy="exact"),
            )
    say("timing")
    cases = {name: Steps(model) for name, (_, model) in models.items()}
    taken = timing.measure(cases, rounds=400, sample_seconds=1e-9, budget_seconds=seconds)
    rows = [_row(kind, model, cases[name], roofline) for name, (kind, model) in models.items()]
    return Lab(problem, rows, refused, roofline, taken.conditions)


def built(kind: Kind, *, threads: int = 1, tune: bool = False, accuracy: str = "fast") -> Model:
    """The kind as a network, with weights at random."""
    p = kind.geometry
    rng = np.random.default_rng(2012)
    builder = GraphBuilder()
    x = builder.input("x", (p.mb, kind.shapes[0].ic, p.ih, p.iw))
    y = x
    for i, shape in enumerate(kind.shapes):
        size = (shape.oc, shape.ic // shape.groups, shape.kh, shape.kw)
        weight = rng.normal(0, np.sqrt(2 / np.prod(size[1:])), size).astype(np.float32)
        told = shape.attributes(p)
        y = builder.node("conv", [y, builder.constant(weight, f"stage{i}.weight")], f"stage{i}", **told)
    if kind.residual:
        y = y + x
    if kind.squeezed:
        y = _gated(builder, y, kind.squeezed)
    builder.outputs([y])
    model: Model = pyconv.compile(builder, threads=threads, accuracy=accuracy, tune=tune)
    return model


def _gated(builder: GraphBuilder, y: Tensor, squeezed: int) -> Tensor:
    from pyconv.zoo.blocks import SqueezeExcitation

    with recording(builder):
        gated: Tensor = SqueezeExcitation(y.shape[1], squeezed)(y)
    return gated


def counted(ops: Sequence[str]) -> list[int]:
    """The steps that are not reorderings at either end.

    >>> counted(["reorder", "conv", "reorder", "conv", "reorder"])
    [1, 2, 3]
    """
    kept = [i for i, op in enumerate(ops) if op not in ("reorder", "transpose")]
    return list(range(kept[0], kept[-1] + 1)) if kept else []


def _row(kind: Kind, model: Model, case: Steps, roofline: Roofline) -> Row:
    told = network.study(model, roofline=roofline)
    images = told.images
    held = counted([layer.op for layer in told.layers])
    layers = [told.layers[i] for i in held]
    table: Any = case.seconds()[:, held] * images
    return Row(
        kind,
        sum(layer.parameters for layer in layers),
        images * sum(layer.macs for layer in layers),
        images * sum(layer.executed_macs for layer in layers),
        images * sum(layer.bytes for layer in layers),
        model.weight_bytes + model.arena_bytes,
        images * sum(layer.predicted_s for layer in layers),
        Timing(kind.name, tuple(table.sum(axis=1).tolist())),
        layers,
        table.min(axis=0).tolist(),
    )
