"""The climb: one convolution from pure Python to Winograd, each rung checked, then timed.

    python -m benchmarks.ladder [--problem ic64oc64_ih56kh3ph1] [--cpu 1]

Every rung computes the same layer on one thread. The lower ones (`pyconv.study.rungs`) are Python,
NumPy and Cython and take arrays as they come; the upper ones are pyconv's C++ algorithms, forced by
name and capped to an instruction set, with weights packed beforehand (`Conv2dPlan`). Rungs that
would take seconds are timed on one row of the result, and their time is multiplied. FLOPs are those
of the definition for every rung, so that Winograd, which needs fewer, may pass the peak.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # read when NumPy is imported

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pyconv import _core
from pyconv.bench import harness
from pyconv.bench.ours import TRANSFORMS, plan_runner
from pyconv.bench.problems import Array, Problem, operands
from pyconv.study import rungs
from pyconv.study.network_ladder import WHY

SLOW = ("python loops", "cython, untyped", "numpy, window by window")
# Above this many rounding errors relative to the sum of |products| a transform's result is wrong.
TRANSFORM_BOUND = 1e-4
COLUMNS = (
    ("rung", 27, "s"),
    ("ms", 10, ".3f"),
    ("GFLOP/s", 8, ".2f"),
    ("% peak", 7, ".2f"),
    ("x below", 8, ".3g"),
    ("x start", 8, ",.0f"),
    ("why", 0, "s"),
)


@dataclass(frozen=True)
class Step:
    """One rung on one problem. `run()` is timed and stands for `share` of the layer."""

    name: str
    kind: str
    why: str
    run: Callable[[], Array]
    share: float = 1.0
    exact: bool = True


def lower_steps(p: Problem, x: Array, weights: Array) -> list[Step]:
    """The rungs of pyconv.study.rungs; the slow ones on the middle row of the result."""
    row = p.oh // 2
    sides = ((0, 0), (p.pt, p.pt), (p.pl, p.pl), (0, 0))
    strip = np.pad(x, sides)[:, row * p.sh : row * p.sh + p.kh]
    steps = []
    for rung in rungs.RUNGS:
        kind = rung.name.replace(",", "").split()[0]
        if rung.name in SLOW:
            run = partial(rung.run, strip, weights, p.sh, 0)
            steps.append(Step(rung.name, kind, rung.why, run, 1 / p.oh))
        else:
            steps.append(Step(rung.name, kind, rung.why, partial(rung.run, x, weights, p.sh, p.pt)))
    return steps


def upper_steps(p: Problem, args: tuple[Array, Array, Array]) -> list[Step]:
    """pyconv's algorithms, those that refuse the problem left out."""
    vectors = [isa for isa in _core.probe_isas() if isa != "scalar"]
    wanted = [("reference", None, "reference"), ("direct", "scalar", "scalar")]
    wanted += [("direct", isa, isa) for isa in vectors]
    wanted += [(name, None, name) for name in ("im2col", "implicit_gemm", *TRANSFORMS)]
    steps = []
    for algorithm, isa, why in wanted:
        if why not in WHY:
            continue
        try:
            runner = plan_runner(p, args, algorithm=algorithm, max_isa=isa)
        except ValueError:
            continue
        name = f"pyconv {algorithm}" + (f", {isa}" if isa else "")
        steps.append(Step(name, "pyconv", WHY[why], runner.run, exact=algorithm not in TRANSFORMS))
    return steps


def check(p: Problem, steps: list[Step], x: Array, weights: Array) -> None:
    """Raises when a rung's result is further from float64 than its summation can explain."""
    x64, w64 = x.astype(np.float64), weights.astype(np.float64)
    want = rungs.numpy_im2col(x64, w64, p.sh, p.pt)
    scale = rungs.numpy_im2col(np.abs(x64), np.abs(w64), p.sh, p.pt)
    length = p.ic * p.kh * p.kw
    for step in steps:
        rows = slice(None) if step.share == 1 else slice(p.oh // 2, p.oh // 2 + 1)
        error = np.max(np.abs(step.run() - want[:, rows]) / scale[:, rows])
        bound = (length + 2) * 2.0**-24 if step.exact else TRANSFORM_BOUND
        if not error <= bound:
            raise ValueError(f"{step.name}: expected a relative error up to {bound:.1e}, got {error:.1e}")


def climb(p: Problem, opts: harness.Options) -> harness.Report:
    """Checks and times every rung, and prints the table."""
    src, weights, bias = operands(p)
    x = np.ascontiguousarray(src.transpose(0, 2, 3, 1))
    steps = lower_steps(p, x, weights) + upper_steps(p, (src, weights, np.zeros_like(bias)))
    check(p, steps, x, weights)
    measured = harness.measure_beside_peak({step.name: step.run for step in steps}, opts)
    cost = harness.cost(p)
    flops = cost.flops
    title = f"{p}: {cost.macs / 1e6:.1f} M multiply-adds, FMA peak {measured.peak_gflops:.0f} GFLOP/s"
    report = harness.Report(title, COLUMNS, quiet=opts.quiet)
    report.start()
    seconds = [measured.seconds(step.name) / step.share for step in steps]
    for index, (step, spent) in enumerate(zip(steps, seconds, strict=True)):
        row = {
            "rung": step.name,
            "kind": step.kind,
            "ms": spent * 1e3,
            "GFLOP/s": flops / spent * 1e-9,
            "% peak": 100 * flops / spent * 1e-9 / measured.peak_gflops,
            "x below": seconds[index - 1] / spent if index else None,
            "x start": seconds[0] / spent,
            "why": step.why,
        }
        report.add(row, {"share": step.share, **measured.run[step.name].as_dict()})
    cut = [step.name for step in steps if step.share != 1]
    report.note(f"timed on 1 of {p.oh} rows: {'; '.join(cut)}")
    return report


def draw(report: harness.Report, path: Path) -> None:
    """Bars of GFLOP/s on a logarithmic axis that ends beyond the FMA peak."""
    from matplotlib.figure import Figure

    rows = report.rows
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    rates = [float(row["GFLOP/s"]) for row in rows]
    peak = 100 * rates[-1] / float(rows[-1]["% peak"])
    figure = Figure(figsize=(9, 0.42 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots()
    axes.axvline(peak, color="black", linewidth=1, linestyle="--", zorder=0)
    axes.text(peak, len(rows) - 0.4, "FMA peak ", ha="right", va="bottom", fontsize=8)
    column = max(*rates, peak) * 1.5
    for place, (row, rate) in enumerate(zip(rows, rates, strict=True)):
        axes.barh(place, rate, color=f"C{kinds.index(str(row['kind']))}")
        below = row["x below"]
        text = f"{rate:.3g}" + (f"  (x {below:.3g})" if below else "")
        axes.text(column, place, text, va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [str(row["rung"]) for row in rows])
    axes.set_xscale("log")
    axes.set_xlim(min(rates) / 2, column * 12)
    axes.set_xlabel("GFLOP/s of the definition, 2 per multiply-add (and ratio to the rung below)")
    axes.set_title(report.title, fontsize=10, pad=14)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--problem", type=Problem, default="ic64oc64_ih56kh3ph1")
    parser.add_argument("--png", type=Path, default=Path("study-ladder.png"))
    parser.set_defaults(json=Path("study-ladder.json"))
    arguments = parser.parse_args()
    p = arguments.problem
    if (p.g, p.dh, p.dw) != (1, 1, 1) or p.sh != p.sw or len({p.pt, p.pb, p.pl, p.pr}) > 1:
        parser.error("the lower rungs take one group, no dilation, one stride and one padding")
    report = climb(p, opts := harness.options(arguments))
    try:
        draw(report, arguments.png)
        print(f"plot: {arguments.png}")
    except ImportError:
        print("no plot: pip install 'pyconv-engine[study]'")
    return harness.finish([report], opts)


if __name__ == "__main__":
    raise SystemExit(main())
