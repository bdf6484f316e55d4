"""A network's study as data: layers with their counts, bounds, predictions and times.

FLOPs are twice the MACs. A layer's bound is the larger of what its executed MACs take at the FMA peak and what
moving its operands once takes, each from the level of memory where it is likely to lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyconv.study import network_words
from pyconv.study.cost import FLOPS_PER_MAC
from pyconv.study.machine import Roofline
from pyconv.study.network_traffic import Traffic
from pyconv.study.timing import Conditions, Timing

if TYPE_CHECKING:
    from pyconv.study.network_ladder import Rung
    from pyconv.study.network_lint import Finding

VERSION = 1
"""Of the JSON; grows when a key changes its meaning."""


@dataclass(frozen=True)
class Candidate:
    """An algorithm's verdict on a layer. ``ratio``: its median time over that of the algorithm taken;
    ``error``: its largest difference to float64 over the largest result, on random operands."""

    algorithm: str
    accepted: bool
    reason: str
    cycles: float
    predicted_s: float | None
    workspace_bytes: int
    executed_macs: int | None
    timing: Timing | None = None
    ratio: float | None = None
    error: float | None = None

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "timing": self.timing and self.timing.as_dict()}


@dataclass(frozen=True)
class Place:
    """Where an output lies: `first` and `last` are the steps that it lives through. `span` is the bytes of all
    the pixels that its own stand among, where it is some channels of a wider tensor; else its own."""

    name: str
    space: str
    buffer: int
    offset: int
    bytes: int
    span: int
    first: int
    last: int

    @staticmethod
    def of(tensor: Mapping[str, Any]) -> Place:
        """Of a tensor of `Model.describe`."""
        size, stride = tensor["bytes"], tensor["pixel_stride"]
        span = size // tensor["shape"][1] * stride if stride else size
        return Place(
            tensor["name"],
            tensor["space"],
            tensor["buffer"],
            tensor["offset"],
            size,
            span,
            *tensor["lifetime"],
        )


@dataclass(frozen=True)
class Layer:
    """One step of a network. `padding_macs` is None where they were not counted."""

    index: int
    name: str
    op: str
    absorbed: tuple[str, ...]
    problem: str
    shape: tuple[int, ...]
    algorithm: str
    kernels: str
    threads: int
    parameters: int
    macs: int
    padding_macs: int | None
    executed_macs: int
    traffic: tuple[Traffic, ...]
    workspace_offset: int
    workspace_bytes: int
    places: tuple[Place, ...]
    compute_s: float
    estimate_s: float | None
    candidates: tuple[Candidate, ...] = ()
    timing: Timing | None = None
    isa: str = "scalar"

    @property
    def bytes(self) -> int:
        """Sources, destinations and weights as packed, once each."""
        return sum(t.bytes for t in self.traffic)

    @property
    def intensity(self) -> float:
        """Executed FLOPs per byte."""
        return FLOPS_PER_MAC * self.executed_macs / self.bytes if self.bytes else 0.0

    @property
    def memory_s(self) -> float:
        return sum(t.seconds for t in self.traffic)

    @property
    def bound_s(self) -> float:
        """The least time that the roofline allows."""
        return max(self.compute_s, self.memory_s)

    @property
    def limit(self) -> str:
        """What binds: "compute", or the level of memory that takes most of the time."""
        if self.compute_s >= self.memory_s:
            return "compute"
        by_level: dict[str, float] = {}
        for t in self.traffic:
            by_level[t.level] = by_level.get(t.level, 0.0) + t.seconds
        return max(by_level, key=by_level.__getitem__)

    @property
    def predicted_s(self) -> float:
        """What the algorithm's cost in cycles says, or the roofline where that is more or all there is."""
        return max(self.estimate_s or 0.0, self.bound_s)

    @property
    def seconds(self) -> float | None:
        """The best round: what other work on the machine disturbs least."""
        return self.timing.minimum if self.timing else None

    @property
    def share(self) -> float | None:
        """Of what the roofline allows."""
        return self.bound_s / self.seconds if self.seconds else None

    @property
    def executed_gflops(self) -> float | None:
        if not self.seconds or not self.executed_macs:
            return None
        return FLOPS_PER_MAC * self.executed_macs / self.seconds * 1e-9

    def as_dict(self) -> dict[str, object]:
        derived = ("bytes", "intensity", "memory_s", "bound_s", "limit", "predicted_s", "share",
                   "executed_gflops")  # fmt: skip
        return {
            **vars(self),
            **{key: getattr(self, key) for key in derived},
            "absorbed": list(self.absorbed),
            "shape": list(self.shape),
            "traffic": [t.as_dict() for t in self.traffic],
            "places": [dict(vars(place)) for place in self.places],
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "timing": self.timing and self.timing.as_dict(),
            "sentence": network_words.sentence(self),
        }


@dataclass(frozen=True)
class Ladder:
    """One layer by everything from Python loops to Winograd."""

    layer: str
    problem: str
    macs: int
    rungs: Sequence[Rung]

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "rungs": [rung.as_dict() for rung in self.rungs]}


@dataclass(frozen=True)
class Network:
    """All layers of a network on one machine. ``whole`` is the time of the steps together. Where a batch runs
    image by image, all figures are those of one of its ``images``, on one thread."""

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    options: Mapping[str, Any]
    roofline: Roofline
    layers: Sequence[Layer]
    arena_bytes: int
    weight_bytes: int
    findings: Sequence[Finding] = ()
    whole: Timing | None = None
    conditions: Conditions | None = None
    rewrites: Sequence[tuple[str, str]] = field(default=())
    ladder: Ladder | None = None
    images: int = 1

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def measured(self) -> bool:
        return self.whole is not None

    @property
    def predicted_s(self) -> float:
        return sum(layer.predicted_s for layer in self.layers)

    @property
    def bound_s(self) -> float:
        return sum(layer.bound_s for layer in self.layers)

    @property
    def seconds(self) -> float | None:
        """Of the best run."""
        return self.whole.minimum if self.whole else None

    def as_dict(self) -> dict[str, object]:
        return {
            "version": VERSION,
            "name": self.name,
            "sentence": network_words.summary(self),
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": {name: list(shape) for name, shape in self.outputs.items()},
            "options": {**self.options, "without": list(self.options.get("without", ()))},
            "images": self.images,
            "roofline": self.roofline.as_dict(),
            "totals": {
                "parameters": sum(layer.parameters for layer in self.layers),
                "macs": self.macs,
                "executed_macs": sum(layer.executed_macs for layer in self.layers),
                "arena_bytes": self.arena_bytes,
                "weight_bytes": self.weight_bytes,
                "bound_s": self.bound_s,
                "predicted_s": self.predicted_s,
                "timing": self.whole and self.whole.as_dict(),
            },
            "conditions": self.conditions and self.conditions.as_dict(),
            "layers": [layer.as_dict() for layer in self.layers],
            "findings": [finding.as_dict() for finding in self.findings],
            "ladder": self.ladder and self.ladder.as_dict(),
            "rewrites": [{"pass": name, "text": text} for name, text in self.rewrites],
        }
