"""A random sweep over legal shapes: does what `auto` picks ever fall off a cliff?

    python -m benchmarks.no_cliffs                    500 shapes, seed 20240
    python -m benchmarks.no_cliffs --count 60 --family depthwise

Each shape's share is its bound, the larger of FLOPs at the FMA peak and least bytes at the
bandwidth of the level that holds them, over its time. Printed by family: median and worst; then the
ten worst, and every shape above 1 MMAC that stays below half of its bound: the goal is none. Beside
those stands the quickest algorithm of a short trial: another name there means a wrong choice, the
same name a slow kernel.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from pyconv.bench import harness, ours
from pyconv.bench.harness import Options, Report
from pyconv.bench.problems import Goal, Problem, operands
from pyconv.study.cost import Cost

COUNT, SEED = 500, 20240
GOAL = Goal("cliffs", "<=", 0)
CLIFF, CLIFF_MACS = 0.5, 1_000_000
LARGEST_MACS, LARGEST_ELEMENTS = 120_000_000, 4_000_000
CHANNELS = (1, 2, 3, 4, 6, 8, 12, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 72, 96, 100, 112,
            120, 128, 144, 160, 192, 200, 240, 256, 320, 384, 480, 512, 576, 672, 960, 1024)  # fmt: skip
IMAGES = (1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 14, 15, 17, 20, 27, 28, 29, 32, 35, 37, 49, 56, 57, 64,
          75, 80, 96, 112, 113, 128, 150, 160, 224)  # fmt: skip

FAMILY_COLUMNS: tuple[harness.Column, ...] = (
    ("family", 12, "s"),
    ("shapes", 6, "d"),
    ("median", 7, ".1%"),
    ("worst", 7, ".1%"),
    ("worst shape", 48, "s"),
)
SHAPE_COLUMNS: tuple[harness.Column, ...] = (
    ("problem", 48, "s"),
    ("family", 12, "s"),
    ("algorithm", 14, "s"),
    ("MMAC", 7, ".2f"),
    ("us", 9, ".1f"),
    ("bound us", 9, ".1f"),
    ("share", 7, ".1%"),
)
CLIFF_COLUMNS = (*SHAPE_COLUMNS, ("quickest", 14, "s"), ("its us", 9, ".1f"))


class Dice:
    """Random sizes; every draw comes from one generator, so a seed names the whole sweep."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def one_of(self, values: tuple[int, ...]) -> int:
        return int(values[self._rng.integers(len(values))])

    def channels(self, most: int = 1024) -> int:
        return self.one_of(tuple(c for c in CHANNELS if c <= most))

    def image(self) -> str:
        """Mostly square, sometimes not."""
        ih = self.one_of(IMAGES)
        iw = ih if self._rng.random() < 0.7 else self.one_of(IMAGES)
        return f"_ih{ih}iw{iw}"

    def padded(self, kh: int, kw: int, dilation: int = 1) -> str:
        """A kernel with its padding: mostly "same", sometimes none, lopsided or wider than usual."""
        high, wide = dilation * (kh - 1), dilation * (kw - 1)
        kernel = f"kh{kh}kw{kw}dh{dilation}"
        kind = self._rng.random()
        if kind < 0.65:
            return f"{kernel}ph{high // 2}pw{wide // 2}"
        if kind < 0.85:
            return kernel
        if kind < 0.93:
            return f"{kernel}pb{high}pr{wide}"
        return f"{kernel}ph{high}pw{wide}"


def _pointwise(dice: Dice) -> str:
    return f"ic{dice.channels()}oc{dice.channels()}{dice.image()}kh1"


def _dense(dice: Dice) -> str:
    k = dice.one_of((3, 3, 3, 5, 7))
    return f"ic{dice.channels(512)}oc{dice.channels(512)}{dice.image()}{dice.padded(k, k)}"


def _one_sided(dice: Dice) -> str:
    k = dice.one_of((2, 3, 5, 7))
    kh, kw = (1, k) if dice.one_of((0, 1)) else (k, 1)
    return f"ic{dice.channels(256)}oc{dice.channels(256)}{dice.image()}{dice.padded(kh, kw)}"


def _strided(dice: Dice) -> str:
    base = _dense(dice) if dice.one_of((0, 1)) else _pointwise(dice)
    return f"{base}sh{dice.one_of((2, 2, 2, 3, 4))}"


def _dilated(dice: Dice) -> str:
    kernel = dice.padded(3, 3, dice.one_of((2, 2, 3, 4, 8)))
    return f"ic{dice.channels(256)}oc{dice.channels(256)}{dice.image()}{kernel}"


def _depthwise(dice: Dice) -> str:
    k, s, d = dice.one_of((2, 3, 3, 3, 5, 7, 9)), dice.one_of((1, 1, 2, 3)), dice.one_of((1, 1, 1, 2))
    c, multiplier = max(2, dice.channels()), dice.one_of((1, 1, 1, 1, 2, 3))
    return f"g{c}ic{c}oc{c * multiplier}{dice.image()}{dice.padded(k, k, d)}sh{s}"


def _grouped(dice: Dice) -> str:
    g, k, s = dice.one_of((2, 3, 4, 8, 16, 32)), dice.one_of((1, 3, 3, 5)), dice.one_of((1, 1, 1, 2))
    ic, oc = g * dice.one_of((1, 2, 3, 4, 5, 8, 16, 24, 32)), g * dice.one_of((2, 4, 5, 8, 16, 24, 32))
    return f"g{g}ic{ic}oc{oc}{dice.image()}{dice.padded(k, k)}sh{s}"


def _first(dice: Dice) -> str:
    k, s = dice.one_of((3, 5, 7, 11)), dice.one_of((1, 2, 2, 4))
    ic, oc = dice.one_of((1, 3, 4)), dice.channels(128)
    return f"ic{ic}oc{oc}{dice.image()}{dice.padded(k, k)}sh{s}"


def _batched(dice: Dice) -> str:
    base = _dense(dice) if dice.one_of((0, 1)) else _pointwise(dice)
    return f"mb{dice.one_of((2, 3, 8, 16))}{base}"


FAMILIES: dict[str, Callable[[Dice], str]] = {
    "pointwise": _pointwise,
    "dense": _dense,
    "one-sided": _one_sided,
    "strided": _strided,
    "dilated": _dilated,
    "depthwise": _depthwise,
    "grouped": _grouped,
    "first": _first,
    "batched": _batched,
}


def shapes(count: int, seed: int, families: tuple[str, ...]) -> list[tuple[str, Problem]]:
    """`count` legal problems of a size that can be measured quickly, families in turn."""
    dice, found = Dice(seed), []
    while len(found) < count:
        family = families[len(found) % len(families)]
        try:
            p = Problem(FAMILIES[family](dice))
        except ValueError:
            continue  # a kernel that does not fit its image
        cost = harness.cost(p)
        if max(cost.src, cost.dst) <= LARGEST_ELEMENTS and 0 < cost.macs <= LARGEST_MACS:
            found.append((family, p))
    return found


@dataclass(frozen=True)
class Point:
    """One measured shape."""

    family: str
    problem: Problem
    algorithm: str
    cost: Cost
    seconds: float
    bound: float
    peak_gflops: float

    @property
    def share(self) -> float:
        return self.bound / self.seconds

    @property
    def is_cliff(self) -> bool:
        return self.cost.macs > CLIFF_MACS and self.share < CLIFF

    def row(self) -> dict[str, object]:
        return {
            "problem": str(self.problem),
            "family": self.family,
            "algorithm": self.algorithm,
            "MMAC": self.cost.macs / 1e6,
            "us": self.seconds * 1e6,
            "bound us": self.bound * 1e6,
            "share": self.share,
        }


def measure_point(family: str, p: Problem, opts: Options) -> Point:
    given = operands(p)
    plan = ours.plan_runner(p, given)
    plan.run()
    ours.check_points(p, given, plan.result(), points=8)
    measured = harness.measure_beside_peak({"plan": plan.run}, opts)
    bound = harness.bound_seconds(p, measured.peak_gflops)
    seconds = measured.seconds("plan")
    return Point(family, p, plan.how, harness.cost(p), seconds, bound, measured.peak_gflops)


def run(opts: Options, count: int = COUNT, seed: int = SEED, family: str = "") -> list[Report]:
    points = []
    chosen = (family,) if family else tuple(FAMILIES)
    with harness.progress("shapes", count) as advance:
        for name, p in shapes(count, seed, chosen):
            points.append(measure_point(name, p, opts))
            advance(name)
    return [_families(points, opts), _worst(points, opts), _cliffs(points, opts)]


def _families(points: list[Point], opts: Options) -> Report:
    report = Report("share of the bound by family", FAMILY_COLUMNS, quiet=opts.quiet)
    report.start()
    for family in dict.fromkeys(point.family for point in points):
        members = [point for point in points if point.family == family]
        worst = min(members, key=lambda point: point.share)
        report.add(
            {
                "family": family,
                "shapes": len(members),
                "median": median(point.share for point in members),
                "worst": worst.share,
                "worst shape": str(worst.problem),
            },
            {"points": [point.row() for point in members]},
        )
    report.note(f"FMA peak {median(point.peak_gflops for point in points):.0f} GFLOP/s")
    return report


def _worst(points: list[Point], opts: Options) -> Report:
    report = Report("the ten worst", SHAPE_COLUMNS, quiet=opts.quiet)
    report.start()
    for point in sorted(points, key=lambda point: point.share)[:10]:
        report.add(point.row())
    return report


def _cliffs(points: list[Point], opts: Options) -> Report:
    cliffs = sorted((point for point in points if point.is_cliff), key=lambda point: point.share)
    report = Report("above 1 MMAC and below 50 % of the bound", CLIFF_COLUMNS, quiet=opts.quiet)
    report.start()
    for point in cliffs:
        seconds, best = ours.trials(point.problem, operands(point.problem))[0]
        report.add({**point.row(), "quickest": best.how, "its us": seconds * 1e6})
    report.judge(f"{len(points)} shapes", [GOAL], {"cliffs": float(len(cliffs))})
    report.finish()
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--family", default="", choices=["", *FAMILIES])
    parser.set_defaults(rounds=14, sample_ms=0.5)
    parsed = parser.parse_args(arguments)
    opts = harness.options(parsed)
    return harness.finish(run(opts, parsed.count, parsed.seed, parsed.family), opts)


if __name__ == "__main__":
    sys.exit(main())
