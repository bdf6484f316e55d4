"""A network of one's own beside the other engines: the same graph and weights in each, for a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pyconv
from pyconv.model import Model
from pyconv.study.timing import Timing, measure

from .. import peers
from ..peers import Runner
from ..problems import aligned
from . import KEPT_PASSES, ours, pictures
from .engines import Setup, Task, ready, write_for_peers
from .graph import Graph

SAMPLE_SECONDS = 0.002
ROUNDS = 15


def without() -> list[str]:
    """The passes that a model must be compiled without, for other engines to be given its graph."""
    return [name for name, _, _ in pyconv.passes() if name not in KEPT_PASSES]


def compare(
    model: Model,
    plain: Model,
    names: Sequence[str],
    *,
    seconds: float = 10.0,
    on_step: Callable[[str], None] | None = None,
) -> list[dict[str, object]]:
    """Times of `model` and of the engines that can run `plain`, the same network compiled `without` fusions, in
    the same rounds; each result is compared with ours in exact mode first. An engine that can't run it has a
    reason instead of times."""
    say = on_step or (lambda _: None)
    options = model.options
    setup = Setup(threads=options.threads or 1, accuracy=options.accuracy, isa=options.max_isa)
    runners: dict[str, Runner] = {ours.NAME: _own(model)}
    refused: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        task = _task(plain, Path(folder))
        for name in names:
            say(f"{name} made ready")
            try:
                _write(plain, name, Path(folder))
                runners[name] = ready(name, task, setup).runner
            except (ValueError, KeyError) as error:
                refused[name] = f"no {error} of it" if isinstance(error, KeyError) else str(error)
        say("engines by turns")
        run = measure(
            {name: runner.run for name, runner in runners.items()},
            rounds=ROUNDS, sample_seconds=SAMPLE_SECONDS, budget_seconds=seconds, settle=True,
        )  # fmt: skip
    found = [_figures(name, runner, run[name]) for name, runner in runners.items()]
    return found + [{"name": name, "reason": reason} for name, reason in refused.items()]


def _figures(name: str, runner: Runner, timing: Timing) -> dict[str, object]:
    peer = peers.load(name) if name in peers.NAMES else None
    version = peer.version() if peer is not None else pyconv.__version__
    return {"name": name, "version": version, "how": runner.how, **timing.as_dict()}


def _own(model: Model) -> Runner:
    (given,), (made,) = model.input_shapes.values(), model.output_shapes.values()
    src, dst = pictures(given), aligned(made)
    return Runner(model.options.accuracy, partial(model.run, src, out=dst), lambda: dst)


def _task(plain: Model, folder: Path) -> Task:
    if len(plain.input_shapes) != 1 or len(plain.output_shapes) != 1:
        raise ValueError("peers: expected a network of one input and one output")
    (shape,) = plain.input_shapes.values()
    src = pictures(shape)
    exact = pyconv.compile(plain, accuracy="exact", threads=plain.options.threads)
    return Task(folder, src, exact(src), 0)


def _write(plain: Model, name: str, folder: Path) -> None:
    """What this engine reads."""
    activations = [p for p in without() if p != "fuse_activation"]
    fused = pyconv.compile(plain, without=activations)
    write_for_peers(Graph.read(plain.graph), Graph.read(fused.graph), [name], folder)
