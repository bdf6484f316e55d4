"""Convolution layers beside the peers, each line judged by the goals of its shape file.

    python -m benchmarks.bench_layers                          every shape file
    python -m benchmarks.bench_layers mobilenet_v1_pointwise   pointwise goals
    python -m benchmarks.bench_layers dense                    3x3 without transforms
    python -m benchmarks.bench_layers weak_everywhere          depthwise and grouped beside peers
    python -m benchmarks.bench_layers mobilenet_v1_depthwise   thirteen layers against their bound
    python -m benchmarks.bench_layers winograd                 transforms against the rest
    python -m benchmarks.bench_layers avx2                     dense layers under the AVX2 cap

Times are minima of interleaved rounds on one thread: `us` (with median and spread) is Conv2dPlan on
NHWC with `out=`, `one-shot` is conv2d. `peak` is the plan's share of the FMA peak of the same rounds
(`FMA`, GFLOP/s), `plain` that of our best algorithm without a transform, `transform` how many times
faster the plan is than that one, `bound` its time as a multiple of the larger of FLOPs at peak and
least bytes at measured bandwidth, `peers` how many times faster it is than the best of onnxruntime,
OpenVINO and torch (ncnn and MNN are shown beside, not counted).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import pytest

from pyconv.bench import harness, ours, peers
from pyconv.bench.harness import Measured, Options, Report
from pyconv.bench.layers import ready
from pyconv.bench.peers import Runner
from pyconv.bench.problems import Shape, ShapeFile, operands, read_shapes, shape_file_names
from pyconv.bench.result import OURS

COUNTED = ("onnxruntime", "openvino", "torch")
DEFAULT_PEERS = "onnxruntime,openvino,torch,ncnn,mnn"
PLAN, ONE_SHOT, PLAIN = "plan", "one-shot", "plain"
NO_PEERS_ON = ("avx2",)

COLUMNS: tuple[harness.Column, ...] = (
    ("layer", 22, "s"),
    ("algorithm", 14, "s"),
    ("MMAC", 7, ".1f"),
    ("us", 8, ".1f"),
    ("median", 8, ".1f"),
    ("+-%", 4, ".0f"),
    ("GFLOP/s", 7, ".0f"),
    ("peak", 6, ".1%"),
    ("FMA", 5, ".0f"),
    ("bound", 6, ".2f"),
    ("one-shot", 8, ".1f"),
)
TRANSFORM_COLUMNS: tuple[harness.Column, ...] = (("plain", 6, ".1%"), ("transform", 9, ".2f"))


@dataclass(frozen=True)
class Layer:
    """Everything timed for one shape."""

    cases: dict[str, Runner]
    measured: Measured


def run(name: str, opts: Options) -> Report:
    """Measures one shape file."""
    shapes = read_shapes(name)
    report = Report(f"{name} (us, one thread)", _columns(shapes, opts), quiet=opts.quiet)
    report.start()
    total = bound = 0.0
    for shape in shapes.shapes:
        row, seconds, least = _row(shape, shapes, opts, report)
        total += shape.count * seconds
        bound += shape.count * least
    if shapes.sum_goals:
        report.note(f"sum {total * 1e6:.1f} us, bound {bound * 1e6:.1f} us: {total / bound:.2f} x")
        report.judge("sum", shapes.sum_goals, {"bound": total / bound})
    report.finish()
    return report


def _columns(shapes: ShapeFile, opts: Options) -> tuple[harness.Column, ...]:
    """Those that this shape file and these peers fill."""
    columns = COLUMNS
    if any(_wants_plain(shape) for shape in shapes.shapes):
        columns += TRANSFORM_COLUMNS
    if opts.peers:
        columns += (*((name, 11, ".1f") for name in opts.peers), ("peers", 6, ".2f"))
    return columns


def _wants_plain(shape: Shape) -> bool:
    return any(goal.figure in ("plain", "transform") for goal in shape.goals)


def _row(
    shape: Shape, shapes: ShapeFile, opts: Options, report: Report
) -> tuple[dict[str, object], float, float]:
    layer = measure_layer(shape, shapes.isa, opts)
    measured, cost = layer.measured, harness.cost(shape.problem)
    seconds = measured.seconds(PLAN)
    least = harness.bound_seconds(shape.problem, measured.peak_gflops, shapes.isa)
    values = {"peak": measured.share_of_peak(PLAN, cost.flops), "bound": seconds / least}
    if PLAIN in layer.cases:
        values["plain"] = measured.share_of_peak(PLAIN, cost.flops)
        values["transform"] = measured.ratio(PLAIN, PLAN)
    rivals = [measured.ratio(name, PLAN) for name in COUNTED if name in layer.cases]
    if rivals:
        values["peers"] = min(rivals)
    row: dict[str, object] = {
        "layer": shape.name,
        "algorithm": layer.cases[PLAN].how,
        "MMAC": cost.macs / 1e6,
        "us": seconds * 1e6,
        "median": measured.run[PLAN].median * 1e6,
        "+-%": 100 * measured.run[PLAN].spread,
        "GFLOP/s": cost.flops / seconds * 1e-9,
        "FMA": measured.peak_gflops,
        **values,
    }
    for name in (ONE_SHOT, *peers.NAMES):
        if name in layer.cases:
            row[name] = measured.seconds(name) * 1e6
    how = {name: runner.how for name, runner in layer.cases.items()}
    report.add(row, {"problem": shape.text, "how": how, **measured.as_dict()})
    report.judge(shape.name, shape.goals, values)
    return row, seconds, least


def measure_layer(shape: Shape, isa: str | None, opts: Options) -> Layer:
    """Prepares every way to run the shape, checks the results, times them in the same rounds."""
    p = shape.problem
    given = operands(p)
    _, runners = ready(shape, isa, opts.peers)
    plan = runners.pop(OURS)
    expected = plan.result().copy()
    cases = {PLAN: plan, ONE_SHOT: ours.one_shot_runner(p, given, isa)}
    if _wants_plain(shape):
        cases[PLAIN] = ours.trials(p, given, transforms=False, max_isa=isa)[0][1]
    cases.update(runners)
    for name in (ONE_SHOT, PLAIN):
        if name in cases:
            cases[name].run()
            peers.check(cases[name].result(), expected, name)
    timed = {name: runner.run for name, runner in cases.items()}
    return Layer(cases, harness.measure_beside_peak(timed, opts, isa))


def main(arguments: list[str] | None = None) -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("shapes", nargs="*", help="shape files, default all")
    parser.add_argument("--peers", default=DEFAULT_PEERS, help="comma-separated; '' for none")
    parsed = parser.parse_args(arguments)
    opts = harness.options(parsed)
    names = parsed.shapes or shape_file_names()
    reports = []
    with harness.progress("layers", len(names)) as advance:
        for name in names:
            alone = replace(opts, peers=())
            reports.append(run(name, alone if name in NO_PEERS_ON else opts))
            advance(name)
    return harness.finish(reports, opts)


SUITE = ("pw-512-512@14", "resnet-64@56", "dw3x3-512@14", "grouped32-3x3-128@56", "3x3-17-31@29")


def suite_shapes() -> list[Shape]:
    """The layers that `pytest benchmarks` times."""
    files = [read_shapes(name) for name in shape_file_names()]
    found = {shape.name: shape for shapes in files for shape in shapes.shapes}
    return [found[name] for name in SUITE]


@pytest.mark.parametrize("shape", suite_shapes(), ids=lambda shape: shape.text)
def test_plan(benchmark, shape):
    p = shape.problem
    given = operands(p)
    runner = ours.plan_runner(p, given)
    runner.run()
    ours.check_points(p, given, runner.result())
    benchmark.extra_info.update(algorithm=runner.how, macs=harness.cost(p).macs)
    benchmark(runner.run)


if __name__ == "__main__":
    sys.exit(main())
