"""What networks cost beside their arithmetic, each with its goal.

    python -m benchmarks.bench_overhead

- step: what each further step of a network adds; measured on chains of 1 and 101 ReLUs of 16 floats, so
  that the little they compute is counted too.
- call: a network of one such step, from Python.
- LeNet-5: one digit from Python, the whole network.
- import: `import pyconv` in a new process that has numpy already.
- compile: `pyconv.compile` of MobileNet v1, whose weights are there.
- load: `pyconv.load` of its model file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import pyconv
from pyconv import nn
from pyconv.bench import harness
from pyconv.bench.harness import Options, Report
from pyconv.bench.problems import Goal

COLUMNS: tuple[harness.Column, ...] = (
    ("what", 40, "s"),
    ("us", 10, ".2f"),
    ("median", 10, ".2f"),
    ("+-%", 4, ".0f"),
    ("goal", 10, "s"),
)
STEPS = 100
BATCH = 100  # calls of a microsecond or so that are timed as one
PER_STEP, CALL, LENET = "step, an upper bound", "call of one step", "LeNet-5 from Python"
IMPORT, COMPILE, LOAD = "import beyond numpy", "compile MobileNet v1", "load its model file"
GOALS = {PER_STEP: 0.5, LENET: 9.0, IMPORT: 30e3, COMPILE: 0.3e6, LOAD: 50e3}  # us

_IMPORT = "import numpy, time; t = time.perf_counter(); import pyconv; print(time.perf_counter() - t)"


def run(opts: Options) -> Report:
    report = Report("networks: overhead", COLUMNS, quiet=opts.quiet)
    report.start()
    _check()
    calls = {1: _relus(1), 1 + STEPS: _relus(1 + STEPS)}
    lenet = pyconv.compile(pyconv.zoo.lenet5(pretrained=True), (1, 1, 28, 28))
    cases: dict[str, Callable[[], object]] = {
        f"{n} steps": partial(_repeated, call, BATCH) for n, call in calls.items()
    }
    cases[LENET] = partial(_repeated, partial(lenet, np.zeros((1, 1, 28, 28), np.float32)), BATCH)
    quick = harness.measure_beside_peak(cases, opts).run.timings
    one, many = quick["1 steps"], quick[f"{1 + STEPS} steps"]
    scale = 1e6 / BATCH
    _add(report, CALL, scale * one.minimum, scale * one.median, one.spread)
    slope = [(m - o) * scale / STEPS for m, o in ((many.minimum, one.minimum), (many.median, one.median))]
    _add(report, PER_STEP, *slope, many.spread)
    _add(report, LENET, scale * quick[LENET].minimum, scale * quick[LENET].median, quick[LENET].spread)
    with tempfile.TemporaryDirectory() as folder:
        for name, timing in harness.measure_beside_peak(_slow_cases(Path(folder)), opts).run.timings.items():
            if name != harness.PEAK:
                _add(report, name, 1e6 * timing.minimum, 1e6 * timing.median, timing.spread)
    imports = sorted(_import_seconds() for _ in range(7))
    _add(report, IMPORT, 1e6 * imports[0], 1e6 * imports[3], imports[3] / imports[0] - 1)
    report.finish()
    return report


def _check() -> None:
    pictures, labels = pyconv.zoo.sample_digits()
    inputs = pyconv.preprocess.mnist.normalized(pictures[..., None])
    if list(pyconv.zoo.lenet5(pretrained=True)(inputs).argmax(1)) != list(labels):
        raise RuntimeError("LeNet-5 misreads the sample digits")


def _add(report: Report, name: str, least: float, middle: float, spread: float) -> None:
    goal = GOALS.get(name)
    text = "" if goal is None else f"<= {goal:g}"
    report.add({"what": name, "us": least, "median": middle, "+-%": 100 * spread, "goal": text})
    if goal is not None:
        report.judge(name, [Goal("us", "<=", goal)], {"us": least})


def _relus(count: int) -> Callable[[], object]:
    chain = nn.Sequential(*(nn.ReLU() for _ in range(count)))
    model = pyconv.compile(chain, (1, 16), without=[name for name, _, _ in pyconv.passes()])
    if len(model.describe()["steps"]) != count:
        raise RuntimeError(f"expected a model of {count} steps, got {len(model.describe()['steps'])}")
    return partial(model, np.zeros((1, 16), np.float32))


def _repeated(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


def _slow_cases(folder: Path) -> dict[str, Callable[[], object]]:
    net, shape, path = pyconv.zoo.mobilenet_v1(), (1, 3, 224, 224), folder / "mobilenet_v1.pyconv"
    pyconv.compile(net, shape).save(path)
    return {COMPILE: partial(pyconv.compile, net, shape), LOAD: partial(pyconv.load, path)}


def _import_seconds() -> float:
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main(arguments: list[str] | None = None) -> int:
    opts = harness.options(harness.parser(__doc__).parse_args(arguments))
    return harness.finish([run(opts)], opts)


if __name__ == "__main__":
    sys.exit(main())
