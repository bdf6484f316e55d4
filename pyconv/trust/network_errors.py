"""Accumulated error of whole networks against float64, fast and exact: a table.

    python -m pyconv.trust.network_errors                        every network of the zoo: some minutes
    python -m pyconv.trust.network_errors resnet50 lenet5        these
    python -m pyconv.trust.network_errors --output FILE          written to a file as well

Weights are random, as `pyconv.zoo` makes them from a seed (LeNet-5: those that come with the package); the input
is of integers' making (`pyconv.trust.values`). The truth is the graph before all passes in float64
(`pyconv.trust.meaning`). An error is the largest difference over the largest output, or the root of the mean square
of the differences over that of the outputs, in units of 2^-24.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TextIO

import numpy as np

import pyconv
from pyconv import nn
from pyconv.graph import GraphBuilder
from pyconv.nn.module import trace
from pyconv.trust.meaning import evaluate
from pyconv.trust.run import machine
from pyconv.trust.values import Draw

U = 2.0**-24
HEAD = (
    "| network | input | MACs, M | fast, largest | fast, rms | exact, largest | exact, rms |\n"
    "|---|---|---|---|---|---|---|"
)


def errors(name: str) -> dict[str, object]:
    """Of one network, by accuracy: (largest, rms) in units of 2^-24."""
    shape = pyconv.zoo.entry(name).input_shape
    nn.manual_seed(0)
    net = pyconv.zoo.create(name, **({"pretrained": True} if name == "lenet5" else {}))
    x = Draw("network", name).reals(*shape)
    graph = trace(net, {"input": shape}, GraphBuilder()).graph
    truth = [output.value for output in evaluate(graph, [x], bounds=False)]
    found: dict[str, object] = {"macs": sum(node["macs"] for node in graph.nodes()), "shape": shape}
    for accuracy in ("fast", "exact"):
        outputs = pyconv.compile(net, shape, accuracy=accuracy, threads=1)(x)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        largest = rms = 0.0
        for got, want in zip(outputs, truth, strict=True):
            if not np.isfinite(got).all():
                raise SystemExit(f"{name}, {accuracy}: an output is not finite")
            difference = got - want
            largest = max(largest, float(np.abs(difference).max() / np.abs(want).max()))
            rms = max(rms, float(np.sqrt(np.mean(difference**2) / np.mean(want**2))))
        found[accuracy] = largest / U, rms / U
    return found


def row(name: str, found: dict[str, object]) -> str:
    size = "x".join(map(str, found["shape"]))  # type: ignore[call-overload]
    cells = [f"{value:.1f}" for accuracy in ("fast", "exact") for value in found[accuracy]]  # type: ignore[attr-defined]
    return f"| {name} | {size} | {int(str(found['macs'])) / 1e6:.0f} | {' | '.join(cells)} |"


def write(names: list[str], to: list[TextIO]) -> None:
    def say(line: str) -> None:
        for stream in to:
            print(line, file=stream, flush=True)

    where = machine()
    say(f"Errors of whole networks in units of 2^-24; {where['cpu']}, {', '.join(where['isas'])}\n")
    say(HEAD)
    for name in names:
        say(row(name, errors(name)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", help="names of `pyconv zoo`; all of them where none is given")
    parser.add_argument("--output", type=Path, help="a file to write as well")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.networks if name not in pyconv.zoo.names()]
    if unknown:
        parser.error(f"networks: expected names of the zoo, got {', '.join(unknown)}")
    names = given.networks or list(pyconv.zoo.names())
    if given.output is None:
        write(names, [sys.stdout])
        return
    with given.output.open("w", encoding="utf-8") as file:
        write(names, [sys.stdout, file])


if __name__ == "__main__":
    main()
