"""Every row of `pyconv.kernels()`: one micro-kernel, forced by name, on work that suits its tile.

    python -m benchmarks.bench_kernels                    all rows that this CPU runs
    python -m benchmarks.bench_kernels --family gemm      one family: K = 512, outputs in L2

`peak` is the share of the FMA peak of the row's own instruction set, seen in the same rounds;
`estimate` is what the row claims to the selector. Families that add little per byte (pooling,
element-wise) stand in bench_ops.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import pyconv

from . import harness, ours
from .harness import Options, Report
from .peers import Runner
from .problems import Problem, operands

COLUMNS: tuple[harness.Column, ...] = (
    ("kernel", 34, "s"),
    ("problem", 34, "s"),
    ("us", 9, ".1f"),
    ("median", 9, ".1f"),
    ("+-%", 4, ".0f"),
    ("GFLOP/s", 7, ".1f"),
    ("peak", 6, ".1%"),
    ("estimate", 8, "s"),
    ("FMA", 6, ".1f"),
)


@dataclass(frozen=True)
class Work:
    """The algorithm that drives a family, and a problem for a tile of so many columns."""

    algorithm: str
    problem: Callable[[int], str]


def _columns(tile: int, about: int) -> int:
    """A multiple of the tile's columns near `about`."""
    return max(1, round(about / max(1, tile))) * max(1, tile)


# The image sides make the pixels a multiple of no tile's rows alone: remainders are part of the work.
WORK: dict[str, Work] = {
    "gemm": Work("pointwise", lambda tile: f"ic512oc{_columns(tile, 192)}_ih14kh1"),
    "direct": Work("direct", lambda tile: f"ic64oc{_columns(tile, 64)}_ih28kh3ph1"),
    "reference": Work("reference", lambda tile: "ic16oc16_ih14kh3ph1"),
    "depthwise": Work("depthwise", lambda tile: "g256ic256oc256_ih28kh3ph1"),
    "grouped": Work("grouped", lambda tile: "g32ic128oc128_ih28kh3ph1"),
}


def runner(kernel: pyconv.Kernel) -> tuple[Problem, Runner] | None:
    """The row's work, run once and checked; None for a family that no convolution drives."""
    work = WORK.get(kernel.family)
    if work is None:
        return None
    p = Problem(work.problem(kernel.tile[1]))
    given = operands(p)
    try:
        found = ours.plan_runner(p, given, algorithm=work.algorithm, kernel=kernel.name)
    except ValueError:
        return None
    found.run()
    ours.check_points(p, given, found.result())
    return p, found


def available(family: str = "") -> list[pyconv.Kernel]:
    return [k for k in pyconv.kernels() if k.available and family in ("", k.family)]


def run(opts: Options, family: str = "") -> Report:
    report = Report("registry rows (us, one thread)", COLUMNS, quiet=opts.quiet)
    report.start()
    skipped = []
    for kernel in available(family):
        prepared = runner(kernel)
        if prepared is None:
            skipped.append(kernel.name)
            continue
        p, row_runner = prepared
        measured = harness.measure_beside_peak({"row": row_runner.run}, opts, kernel.isa)
        flops, seconds = harness.cost(p).flops, measured.seconds("row")
        row: dict[str, object] = {
            "kernel": kernel.name,
            "problem": str(p),
            "us": seconds * 1e6,
            "median": measured.run["row"].median * 1e6,
            "+-%": 100 * measured.run["row"].spread,
            "GFLOP/s": flops / seconds * 1e-9,
            "peak": measured.share_of_peak("row", flops),
            "estimate": f"{kernel.efficiency}%" if kernel.efficiency else "-",
            "FMA": measured.peak_gflops,
        }
        report.add(row, measured.as_dict())
    if skipped:
        report.note(f"not driven by a convolution, see bench_ops: {', '.join(skipped)}")
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--family", default="", help="one family of rows")
    parsed = parser.parse_args(arguments)
    opts = harness.options(parsed)
    return harness.finish([run(opts, parsed.family)], opts)


SUITE = [kernel for kernel in available("gemm") if kernel.isa != "scalar"]


@pytest.mark.parametrize("kernel", SUITE, ids=lambda kernel: kernel.name)
def test_kernel(benchmark, kernel):
    prepared = runner(kernel)
    assert prepared is not None
    p, row_runner = prepared
    benchmark.extra_info.update(problem=str(p), macs=harness.cost(p).macs)
    benchmark(row_runner.run)


if __name__ == "__main__":
    sys.exit(main())
