"""One network made ready in every engine: written, loaded, checked against our exact result, warmed up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyconv.study.timing import calls_per_sample, sample

from .. import peers
from ..peers import Runner, WrongResult
from ..problems import Array
from . import Network, exchanged, module, ours, pictures
from .graph import Graph, Unsupported

TOLERANCE = 1e-3
"""Largest difference from our exact result that passes, as a share of that result's largest magnitude."""

READS_ONNX = ("onnxruntime", "openvino", "mnn")


@dataclass(frozen=True)
class Setup:
    """How a network is run, alike in every engine."""

    batch: int = 1
    threads: int = 1
    accuracy: str = "fast"
    isa: str | None = None


@dataclass(frozen=True)
class Task:
    """A network written to files: its input, the result that is expected for it, and its multiply-adds."""

    folder: Path
    src: Array
    expected: Array
    macs: int


@dataclass(frozen=True)
class Engine:
    """An engine with the network loaded: seconds until it was, seconds of the first run, and its error."""

    name: str
    runner: Runner
    load_seconds: float
    first_seconds: float
    error: float

    def as_dict(self) -> dict[str, object]:
        return {
            "how": self.runner.how, "load_s": self.load_seconds, "first_run_s": self.first_seconds,
            "error": self.error,
        }  # fmt: skip


def write(network: Network, setup: Setup, names: Sequence[str], folder: Path) -> Task:
    """Writes the files that the engines read."""
    net = module(network)
    shape = (setup.batch, *network.shape)
    src = pictures(shape)
    expected = ours.exact(net, src)
    ours.write(net, shape, folder, setup.accuracy)
    graph = exchanged(net, shape)
    write_for_peers(graph, exchanged(net, shape, activations=True), names, folder)
    return Task(folder, src, expected, graph.macs)


def write_for_peers(graph: Graph, fused: Graph, names: Sequence[str], folder: Path) -> None:
    """The files that these engines read; `fused` is the graph with activations inside other nodes."""
    if any(name in READS_ONNX for name in names):
        from .export_onnx import write_onnx

        write_onnx(graph, folder / "network.onnx")
    if "mnn" in names:
        peer = peers.load("mnn")
        if peer is not None:
            peer.write_network(folder)
    if "torch" in names and peers.load("torch") is not None:
        from .export_torch import write_torch

        write_torch(graph, folder / "network.pt")
    if "ncnn" in names:
        from .export_ncnn import write_ncnn

        write_ncnn(fused, folder)


def ways(name: str, task: Task, setup: Setup) -> Iterator[Runner]:
    """The ways in which an engine runs the network; each is loaded when it is asked for."""
    if name == ours.NAME:
        yield from ours.network_runners(task.folder, task.src, setup.threads, setup.isa)
        return
    peer = peers.load(name)
    if peer is None:
        raise Unsupported("not installed")
    yield from peer.network_runners(task.folder, task.src, setup.threads)


def ready(name: str, task: Task, setup: Setup) -> Engine:
    """The engine's quickest way, each of them checked; Unsupported where it has none."""
    timed: list[tuple[float, Engine]] = []
    runners = ways(name, task, setup)
    while True:
        started = time.perf_counter()
        runner = next(runners, None)
        if runner is None:
            break
        loaded = time.perf_counter()
        runner.run()
        finished = time.perf_counter()
        error = checked(runner.result(), task.expected, f"{name} ({runner.how})")
        engine = Engine(name, runner, loaded - started, finished - loaded, error)
        calls = calls_per_sample(runner.run, peers.TRIAL_SECONDS)
        timed.append((min(sample(runner.run, calls) for _ in range(3)), engine))
    if not timed:
        raise Unsupported("no way to run it")
    return min(timed, key=lambda entry: entry[0])[1]


def checked(got: Array, expected: Array, who: str) -> float:
    """The relative error; raises WrongResult where it passes TOLERANCE."""
    if got.shape != expected.shape:
        raise WrongResult(f"{who}: expected shape {expected.shape}, got {got.shape}")
    error = float(np.abs(got - expected).max() / np.abs(expected).max())
    if not error <= TOLERANCE:
        raise WrongResult(f"{who}: expected our result, got one that differs by {error:.2g} of its largest")
    return error
