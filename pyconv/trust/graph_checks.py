"""Promise: a network gives the right numbers, and in exact mode the same bits, whatever compiles it.

Random small graphs, compiled with passes on and off, for each instruction set, for one, two and four threads,
for one image and for three, and read back from a model file. In exact mode all give one result (batch norms
folded or not are two networks); in fast mode each stays within the bound of its arithmetic from float64, and
gives the same bits when it runs again.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

import pyconv
from pyconv.graph import GraphBuilder
from pyconv.trust.compare import Broken, same_bits, within
from pyconv.trust.graphs import drawn_graph, dump
from pyconv.trust.meaning import Bounded, evaluate
from pyconv.trust.problem_checks import ISAS
from pyconv.trust.values import Draw, Floats
from pyconv.trust.work import Work

IMAGES = 3
SCALAR_MACS = 500_000
"""Beyond, the scalar kernels take most of the time, and run on one graph in ten."""
KEEPING = tuple(name for name, _, keeps in pyconv.passes() if keeps)
CHANGING = tuple(name for name, _, keeps in pyconv.passes() if not keeps)
Options = dict[str, Any]


class Check:
    """All that is promised of one graph."""

    def __init__(self, seed: int, index: int) -> None:
        self.builder = drawn_graph(seed, index, IMAGES)
        self.draw = Draw("graph checks", seed, index)
        self.single = drawn_graph(seed, index, 1)
        graph = self.builder.graph
        self.x = self.draw.reals(*graph.value(graph.inputs[0])[2])
        macs = sum(node["macs"] for node in graph.nodes())
        slow = macs > SCALAR_MACS and not self.draw.chance(10)
        self.isas = tuple(isa for isa in ISAS if isa != "scalar" or not slow) or ISAS
        self.models, self.largest = 0, 0.0

    def run(self) -> None:
        graph = self.builder.graph
        truth = evaluate(graph, [self.x], bounds=True)
        for changed in ((), CHANGING):
            want = self._outputs(self.builder, {"accuracy": "exact", "without": changed})
            self._bounded(want, truth, f"exact without {changed}")
            for options in self._variants("exact", changed, 4 if changed else 7):
                self._same(want, options)
            if not changed:
                self._one_image(want)
        for options in self._variants("fast", (), 3):
            self._bounded(self._outputs(self.builder, options, twice=True), truth, str(options))

    def _variants(self, accuracy: str, without: tuple[str, ...], count: int) -> list[Options]:
        """Options drawn at random, one without any pass."""
        draw = self.draw
        made: list[Options] = []
        for at in range(count):
            left_out = tuple(name for name in KEEPING if draw.chance(3)) if at else KEEPING
            options: Options = {"accuracy": accuracy, "without": (*without, *left_out)}
            options["threads"] = draw.pick((1, 2, 4))
            options["max_isa"] = draw.pick((None, *self.isas))
            options["release_weights"] = draw.chance(8)
            made.append(options)
        return made

    def _outputs(self, builder: GraphBuilder, options: Options, twice: bool = False) -> list[Floats]:
        self.models += 1
        model = pyconv.compile(builder, **options)
        x = self.x[: builder.graph.value(builder.graph.inputs[0])[2][0]]
        first = _arrays(model(x))
        if twice:
            model(np.full_like(x, np.nan))  # what it leaves in the arena changes nothing
            for again, before in zip(_arrays(model(x)), first):
                same_bits(again, before, f"{options}, run again")
        return first

    def _same(self, want: list[Floats], options: Options) -> None:
        twice = self.draw.chance(4)
        for got, expected in zip(self._outputs(self.builder, options, twice), want):
            same_bits(got, expected, str(options))

    def _one_image(self, want: list[Floats]) -> None:
        """Alone, through a model file, each image gives what it gives among others."""
        options: Options = {"accuracy": "exact", "threads": self.draw.pick((1, 2))}
        options["max_isa"] = self.draw.pick(self.isas)
        model = pyconv.compile(self.single, **options)
        if self.draw.chance(2):
            model = pickle.loads(pickle.dumps(model))
        self.models += 1
        for image in range(IMAGES):
            for got, whole in zip(_arrays(model(self.x[image : image + 1])), want):
                same_bits(got, whole[image : image + 1], f"image {image} alone, {options}")

    def _bounded(self, got: list[Floats], truth: list[Bounded], what: str) -> None:
        for array, true in zip(got, truth):
            self.largest = max(self.largest, within(array, true.value, true.error + 2.0**-140, what))


def _arrays(outputs: Any) -> list[Floats]:
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def run(work: Work) -> None:
    """Random graphs until the time is up."""
    for index in work.cases():
        check = Check(work.seed, index)
        try:
            with np.errstate(all="ignore"):
                check.run()
        except (Broken, ValueError) as error:
            raise Broken(f"{error}\n{dump(check.builder)}") from error
        work.count("graphs")
        work.count("nodes", len(check.builder.graph.nodes()))
        work.count("models", check.models)
        work.largest("largest error in bounds", round(check.largest, 3))
