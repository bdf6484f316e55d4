"""What one call costs from Python: conv2d with default arguments on a 1x1x8x8 image.

    python -m benchmarks.bench_call

The goal is under 3 us. Beside it: the same with a bias, the same through a Conv2dPlan, and torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import numpy as np

import pyconv
from pyconv.bench import harness, ours, peers
from pyconv.bench.harness import Options, Report
from pyconv.bench.problems import Goal, Problem, operands

GOAL = Goal("us", "<=", 3.0)
CALL = "conv2d"
COLUMNS: tuple[harness.Column, ...] = (
    ("call", 22, "s"),
    ("us", 8, ".2f"),
    ("median", 8, ".2f"),
    ("+-%", 4, ".0f"),
)
PROBLEM = "ic1oc1_ih8kh3"


def cases() -> dict[str, Callable[[], object]]:
    p = Problem(PROBLEM)
    src, weights, bias = given = operands(p)
    plan = ours.plan_runner(p, given)
    result: dict[str, Callable[[], object]] = {
        CALL: partial(pyconv.conv2d, src, weights),
        "conv2d, bias": partial(pyconv.conv2d, src, weights, bias),
        "plan, out=": plan.run,
    }
    torch = peers.load("torch")
    if torch is not None:
        for runner in torch.runners(p, *given):
            result[f"torch {runner.how}"] = runner.run
    ours.check_points(p, given, np.asarray(pyconv.conv2d(src, weights, bias)))
    return result


def run(opts: Options) -> Report:
    report = Report(f"one call, {PROBLEM}", COLUMNS, quiet=opts.quiet)
    report.start()
    measured = harness.measure_beside_peak(cases(), opts)
    for name, timing in measured.run.timings.items():
        if name != harness.PEAK:
            least, middle = timing.minimum * 1e6, timing.median * 1e6
            report.add({"call": name, "us": least, "median": middle, "+-%": 100 * timing.spread})
    report.judge(CALL, [GOAL], {"us": measured.seconds(CALL) * 1e6})
    report.finish()
    return report


def main(arguments: list[str] | None = None) -> int:
    opts = harness.options(harness.parser(__doc__).parse_args(arguments))
    return harness.finish([run(opts)], opts)


def test_call(benchmark):
    src, weights, _ = operands(Problem(PROBLEM))
    benchmark(pyconv.conv2d, src, weights)


if __name__ == "__main__":
    sys.exit(main())
