"""Other engines behind one interface, one file each.

Every module has `NAME`, `version()` and `runners(problem, src, weights, bias)`, which yields one
or more ways in which that engine runs the convolution as a graph of one node, on one thread, with
weights prepared beforehand. Sources and results stand in buffers of the engine's own choosing,
NCHW or NHWC; what it reorders inside is part of its time. `fastest()` checks each way against a
result of ours and keeps the quickest.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from pyconv.study.timing import calls_per_sample, sample

from ..problems import Array, Problem

NAMES = ("onnxruntime", "openvino", "torch", "ncnn", "mnn")
TRIAL_SECONDS = 0.002


@dataclass(frozen=True)
class Runner:
    """One way to run one problem: `run()` is what is timed, `result()` gives the last run's NCHW."""

    how: str
    run: Callable[[], object]
    result: Callable[[], Array]


class WrongResult(ValueError):
    """An engine computed something else than we did."""


def load(name: str) -> ModuleType | None:
    """The peer's module, or None where the engine is not installed."""
    if name not in NAMES:
        raise ValueError(f"peer: expected one of {', '.join(NAMES)}, got {name!r}")
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ImportError:
        return None


def fastest(
    peer: ModuleType, p: Problem, operands: tuple[Array, Array, Array], expected: Array
) -> Runner | None:
    """The peer's quickest way whose result is `expected` (NCHW); None when it has no way at all."""
    timed: list[tuple[float, Runner]] = []
    for runner in _runners(peer, p, operands):
        runner.run()
        check(runner.result(), expected, f"{peer.NAME} ({runner.how})")
        calls = calls_per_sample(runner.run, TRIAL_SECONDS)
        timed.append((min(sample(runner.run, calls) for _ in range(3)), runner))
    return min(timed, key=lambda entry: entry[0])[1] if timed else None


def check(got: Array, expected: Array, who: str, tolerance: float = 5e-3) -> None:
    """Raises when `got` is not `expected`; loose enough for any engine's Winograd."""
    if got.shape != expected.shape:
        raise WrongResult(f"{who}: expected shape {expected.shape}, got {got.shape}")
    if not expected.size:
        return
    scale = max(1.0, float(np.abs(expected).max()))
    worst = float(np.abs(got - expected).max()) / scale
    if not worst <= tolerance:
        raise WrongResult(f"{who}: expected our result, got one that differs by {worst:.2g}")


def _runners(peer: ModuleType, p: Problem, operands: tuple[Array, Array, Array]) -> Iterator[Runner]:
    yield from peer.runners(p, *operands)
