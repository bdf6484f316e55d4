"""The error of the Winograd transforms beside the direct sum, measured against float64.

    python -m benchmarks.winograd_error

Largest absolute error over the largest absolute output, on standard normal inputs, with weights of
standard deviation 1/sqrt(K) and a standard normal bias. The limits are what a careful fp32
implementation of the usual points reaches.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from pyconv.bench import harness, ours
from pyconv.bench.harness import Options, Report
from pyconv.bench.problems import Array, Goal, Shape, operands, read_shapes

REFERENCE = Path(__file__).parents[1] / "tests" / "reference.py"
LIMITS = {"winograd_f2": 1e-6, "winograd_f4": 1.4e-5, "winograd_f6": 1.9e-5}
ALGORITHMS = ("direct", *LIMITS)
LARGEST_MACS = 300_000_000
COLUMNS: tuple[harness.Column, ...] = (("layer", 22, "s"), *((name, 12, ".2e") for name in ALGORITHMS))


def _reference() -> ModuleType:
    """tests/reference.py, the float64 meaning of every operation."""
    spec = importlib.util.spec_from_file_location("reference", REFERENCE)
    if spec is None or spec.loader is None:
        raise ImportError("tests/reference.py: not found")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def errors(shape: Shape, reference: ModuleType) -> dict[str, float]:
    """Relative error by algorithm, for those that accept the shape."""
    p = shape.problem
    src, weights, bias = given = operands(p)
    exact: Array = reference.conv2d(
        src, weights, bias, stride=(p.sh, p.sw), padding=(p.pt, p.pb, p.pl, p.pr), groups=p.g
    )
    scale, found = np.abs(exact).max(), {}
    for name in ours.accepted(p):
        if name in ALGORITHMS:
            runner = ours.plan_runner(p, given, algorithm=name)
            runner.run()
            found[name] = float(np.abs(runner.result() - exact).max() / scale)
    return found


def run(opts: Options) -> Report:
    report = Report("max abs error / max abs output", COLUMNS, quiet=opts.quiet)
    report.start()
    reference = _reference()
    for shape in read_shapes("winograd").shapes:
        if harness.cost(shape.problem).macs > LARGEST_MACS:
            continue
        found = errors(shape, reference)
        report.add({"layer": shape.name, **found})
        for name, limit in LIMITS.items():
            report.judge(f"{shape.name} {name}", [Goal("error", "<=", limit)], _figure(found, name))
    report.finish()
    return report


def _figure(found: dict[str, float], name: str) -> dict[str, float]:
    return {"error": found[name]} if name in found else {}


def main(arguments: list[str] | None = None) -> int:
    opts = harness.options(harness.parser(__doc__).parse_args(arguments))
    return harness.finish([run(opts)], opts)


if __name__ == "__main__":
    sys.exit(main())
