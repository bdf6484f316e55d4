"""Is the algorithm that the planner takes the fastest one, and do its estimates rank them rightly?

    python -m benchmarks.bench_dispatch                                  the zoo, about two minutes
    python -m benchmarks.bench_dispatch --networks resnet18,unet --seconds 20
    python -m benchmarks.bench_dispatch --assert                         95 % of the layers within 5 %

Every convolution of the zoo's networks, where it stands: the network runs with the algorithms taken and, by
turns, with the i-th likely alternative of all its convolutions at once. A layer counts once, however often it
occurs. `taken` is the least time of the algorithm taken over that of the fastest; misses are measured twice,
and the better verdict counts, since the least of several noisy times is too small. Times are in us.

`rank` is Spearman's correlation of estimated and measured times, over all pairs of layer and algorithm, and
within layers of at least three algorithms (mean). `lost` is the time that fastest algorithms would save.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import pyconv
from pyconv.bench import harness
from pyconv.bench.harness import Options, Report
from pyconv.bench.problems import Goal
from pyconv.study import machine, network, network_timing

# The larger members of families bring no other kind of layer.
LEFT_OUT = ("vgg19", "resnet34", "resnet56", "resnet101", "alexnet", "fcn32s", "fcn16s", "mobilenet_v3_small",
            *(f"efficientnet_b{i}" for i in range(1, 8)))  # fmt: skip
WITHIN = 0.05
GOAL = 0.95
WORST = 15
LEAST_SECONDS = 2e-6
# Of what a network's share of the time is, for the second look at its misses.
AGAIN = 0.5


@dataclass(frozen=True)
class Way:
    """An algorithm for a layer: estimated and measured seconds."""

    algorithm: str
    predicted: float
    measured: float


@dataclass(frozen=True)
class Dispatched:
    """A layer's ways, the one taken first."""

    where: str
    problem: str
    ways: tuple[Way, ...]

    @property
    def fastest(self) -> Way:
        return min(self.ways, key=lambda way: way.measured)

    @property
    def behind(self) -> float:
        """Time of the algorithm taken over that of the fastest."""
        return self.ways[0].measured / self.fastest.measured


def dispatched(name: str, seconds: float) -> list[Dispatched]:
    """The convolutions of a zoo network that have more than one likely algorithm."""
    entry = pyconv.zoo.entry(name)
    model = pyconv.compile(pyconv.zoo.create(name), entry.input_shape)
    measured = network_timing.measure(model, seconds=seconds)
    roofline = machine.roofline(model.options.max_isa)
    rate = network.cycles_per_second(roofline) * measured.peak_gflops / roofline.peak_gflops
    found = []
    for step, timing in zip(model.describe()["steps"], measured.steps):
        cycles = {c[0]: c[3] for c in step["candidates"] if c[1]}
        rivals = {
            algorithm: timing.minimum * rival.best_ratio
            for (where, algorithm), rival in measured.rivals.items()
            if where == step["name"]
        }
        if not rivals or timing.minimum < LEAST_SECONDS:
            continue
        times = {step["algorithm"]: timing.minimum, **rivals}
        ways = tuple(Way(algorithm, cycles[algorithm] / rate, took) for algorithm, took in times.items())
        found.append(Dispatched(f"{name}: {step['name']}", step["problem"], ways))
    return found


def once(layers: Iterable[Dispatched]) -> list[Dispatched]:
    """One layer for each problem and algorithm taken: of those alike the one in the middle."""
    alike: dict[tuple[str, str], list[Dispatched]] = {}
    for layer in layers:
        alike.setdefault((layer.problem, layer.ways[0].algorithm), []).append(layer)
    return [sorted(group, key=lambda layer: layer.behind)[(len(group) - 1) // 2] for group in alike.values()]


def confirmed(layers: Sequence[Dispatched], again: Sequence[Dispatched]) -> list[Dispatched]:
    """`layers`, those in the second look as the better of both looks has them."""
    second = {layer.where: layer for layer in again}
    return [min(layer, second.get(layer.where, layer), key=lambda seen: seen.behind) for layer in layers]


def spearman(pairs: Sequence[tuple[float, float]]) -> float:
    """Correlation of ranks.

    >>> spearman([(1, 10), (2, 30), (3, 20), (4, 40)])
    0.8
    """
    first, second = (np.argsort(np.argsort(column)).astype(float) for column in zip(*pairs))
    return round(float(np.corrcoef(first, second)[0, 1]), 6)


def ranks(layers: Sequence[Dispatched]) -> tuple[float, float]:
    """(over all pairs, mean within layers)."""
    pairs = [(way.predicted, way.measured) for layer in layers for way in layer.ways]
    within = [
        spearman([(way.predicted, way.measured) for way in layer.ways])
        for layer in layers
        if len(layer.ways) >= 3
    ]
    return (spearman(pairs) if len(pairs) > 1 else 1.0), (float(np.mean(within)) if within else 1.0)


def summary(layers: Sequence[Dispatched]) -> dict[str, float]:
    taken = sum(layer.ways[0].measured for layer in layers)
    fastest = sum(layer.fastest.measured for layer in layers)
    overall, within = ranks(layers)
    return {
        "layers": len(layers),
        "within": float(np.mean([layer.behind <= 1 + WITHIN for layer in layers])),
        "lost": 1 - fastest / taken,
        "rank": overall,
        "rank within": within,
    }


def worst(layers: Sequence[Dispatched]) -> Report:
    """The layers that lose most time, by time."""
    report = Report(
        f"worst misses (beyond {WITHIN:.0%}), by the time lost",
        (("layer", 44, "s"), ("problem", 36, "s"), ("taken", 14, "s"), ("us", 8, ".1f"), ("est.", 8, ".1f"),
         ("fastest", 14, "s"), ("us ", 8, ".1f"), ("est. ", 8, ".1f"), ("behind", 6, ".2f")),
    )  # fmt: skip
    missed = [layer for layer in layers if layer.behind > 1 + WITHIN]
    missed.sort(key=lambda layer: layer.fastest.measured - layer.ways[0].measured)
    report.start()
    for layer in missed[:WORST]:
        taken, best = layer.ways[0], layer.fastest
        report.add({"layer": layer.where[-44:], "problem": layer.problem, "behind": layer.behind,
                    "taken": taken.algorithm, "us": 1e6 * taken.measured, "est.": 1e6 * taken.predicted,
                    "fastest": best.algorithm, "us ": 1e6 * best.measured,
                    "est. ": 1e6 * best.predicted})  # fmt: skip
    return report


def estimates(layers: Sequence[Dispatched]) -> Report:
    """Estimated over measured time, by algorithm: what the cost model has to mend."""
    report = Report(
        "estimated over measured time",
        (
            ("algorithm", 14, "s"),
            ("ways", 5, "d"),
            ("p10", 6, ".2f"),
            ("median", 6, ".2f"),
            ("p90", 6, ".2f"),
        ),
    )
    ratios: dict[str, list[float]] = {}
    for layer in layers:
        for way in layer.ways:
            ratios.setdefault(way.algorithm, []).append(way.predicted / way.measured)
    report.start()
    for algorithm, found in sorted(ratios.items()):
        low, middle, high = np.percentile(found, [10, 50, 90])
        report.add({"algorithm": algorithm, "ways": len(found), "p10": low, "median": middle, "p90": high})
    return report


def networks(names: Sequence[str], seconds: float) -> tuple[Report, list[Dispatched]]:
    """All layers of the networks, each problem once."""
    columns = (("network", 18, "s"), ("layers", 6, ".0f"), ("within", 7, ".1%"), ("lost", 6, ".2%"),
               ("rank", 6, ".3f"), ("rank within", 11, ".3f"))  # fmt: skip
    report = Report(f"convolutions whose algorithm is within {WITHIN:.0%} of the fastest", columns)
    report.start()
    every: list[Dispatched] = []
    share = seconds / len(names)
    for name in names:
        layers = dispatched(name, share / (1 + AGAIN))
        if any(layer.behind > 1 + WITHIN for layer in layers):
            layers = confirmed(layers, dispatched(name, share * AGAIN / (1 + AGAIN)))
        if layers:
            report.add({"network": name, **summary(once(layers))})
        else:
            report.note(f"{name}: no choices, or none measured within {share:.0f} s")
        every += layers
    alone = once(every)
    if alone:
        report.add({"network": "all", **summary(alone)}, {"layers": [vars(layer) | {
            "ways": [vars(way) for way in layer.ways]} for layer in alone]})  # fmt: skip
    return report, alone


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", help="names of the zoo, comma between (default: one of each kind)")
    parser.add_argument("--seconds", type=float, default=110.0, help="of running, all together (default 110)")
    parser.add_argument("--assert", dest="goal", action="store_true", help=f"exit with 1 below {GOAL:.0%}")
    parser.add_argument("--cpu", type=int, help="run on this CPU only")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    names = (
        arguments.networks.split(",")
        if arguments.networks
        else [name for name in pyconv.zoo.names() if name not in LEFT_OUT]
    )
    report, layers = networks(names, arguments.seconds)
    if not layers:
        print("no convolution has a choice")
        return 1
    if arguments.goal:
        report.judge("all", [Goal("within", ">=", GOAL)], summary(layers))
    reports = [report, estimates(layers), worst(layers)]
    report.finish()
    return harness.finish(reports, Options(json=arguments.json))


if __name__ == "__main__":
    sys.exit(main())
