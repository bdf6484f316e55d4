"""Every row of `pyconv.kernels()`: one micro-kernel, forced by name, on work that suits its tile.

    python -m benchmarks.bench_kernels                    all rows that this CPU runs
    python -m benchmarks.bench_kernels --family gemm      one family: K = 512, outputs in L2

Rows that multiply and add are shown by their share of the FMA peak of their own instruction set
(`estimate` is what the row claims to the selector), rows that move data by their share of the copy
bandwidth over the same footprint; both ceilings are seen in the same rounds.
"""

from __future__ import annotations

import sys
from functools import partial

import pytest

import pyconv
from pyconv.bench import harness
from pyconv.bench.harness import Options, Report
from pyconv.bench.kernels import available, compute_runner, memory_call
from pyconv.bench.peers import check
from pyconv.bench.problems import aligned

ROW = "row"
COMPUTE_COLUMNS: tuple[harness.Column, ...] = (
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
MEMORY_COLUMNS: tuple[harness.Column, ...] = (
    ("kernel", 34, "s"),
    ("KiB", 8, ".0f"),
    ("us", 9, ".2f"),
    ("median", 9, ".2f"),
    ("+-%", 4, ".0f"),
    ("GB/s", 7, ".1f"),
    ("copy", 7, ".1f"),
    ("share", 7, ".1%"),
)


def run(opts: Options, family: str = "") -> list[Report]:
    compute = Report("rows that multiply and add (us, one thread)", COMPUTE_COLUMNS, quiet=opts.quiet)
    compute.start()
    others = [kernel for kernel in available(family) if not _compute_row(kernel, compute, opts)]
    memory = Report("rows that move data (us, one thread)", MEMORY_COLUMNS, quiet=opts.quiet)
    memory.start()
    left = [kernel.name for kernel in others if not _memory_row(kernel, memory, opts)]
    if left:
        memory.note(f"no public function drives these alone: {', '.join(left)}")
    return [compute, memory]


def _compute_row(kernel: pyconv.Kernel, report: Report, opts: Options) -> bool:
    prepared = compute_runner(kernel)
    if prepared is None:
        return False
    p, runner = prepared
    measured = harness.measure_beside_peak({ROW: runner.run}, opts, kernel.isa)
    flops, seconds = harness.cost(p).flops, measured.seconds(ROW)
    row: dict[str, object] = {
        "kernel": kernel.name,
        "problem": str(p),
        "us": seconds * 1e6,
        "median": measured.run[ROW].median * 1e6,
        "+-%": 100 * measured.run[ROW].spread,
        "GFLOP/s": flops / seconds * 1e-9,
        "peak": measured.share_of_peak(ROW, flops),
        "estimate": f"{kernel.efficiency}%" if kernel.efficiency else "-",
        "FMA": measured.peak_gflops,
    }
    report.add(row, measured.as_dict())
    return True


def _memory_row(kernel: pyconv.Kernel, report: Report, opts: Options) -> bool:
    prepared = memory_call(kernel)
    if prepared is None:
        return False
    call, inputs = prepared
    expected = call.func(
        *inputs, **{k: v for k, v in call.keywords.items() if k not in ("kernel", "max_isa")}
    )
    out = aligned(expected.shape)
    case = partial(call, *inputs, out=out, threads=1)
    case()
    check(out, expected, kernel.name, tolerance=1e-6)
    moved, rates = sum(array.nbytes for array in inputs) + out.nbytes, list[float]()
    cases = {ROW: case, "copy": harness.copy_case(moved, rates, kernel.isa)}
    timing = harness.interleaved(cases, opts)
    row: dict[str, object] = {
        "kernel": kernel.name,
        "KiB": moved / 1024,
        "us": timing[ROW].minimum * 1e6,
        "median": timing[ROW].median * 1e6,
        "+-%": 100 * timing[ROW].spread,
        "GB/s": moved / timing[ROW].minimum * 1e-9,
        "copy": max(rates) * 1e-9,
        "share": moved / timing[ROW].minimum / max(rates),
    }
    report.add(row, timing.as_dict())
    return True


def main(arguments: list[str] | None = None) -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("--family", default="", help="one family of rows")
    parsed = parser.parse_args(arguments)
    opts = harness.options(parsed)
    return harness.finish(run(opts, parsed.family), opts)


SUITE = [kernel for kernel in available("gemm") if kernel.isa != "scalar"]


@pytest.mark.parametrize("kernel", SUITE, ids=lambda kernel: kernel.name)
def test_kernel(benchmark, kernel):
    prepared = compute_runner(kernel)
    assert prepared is not None
    p, runner = prepared
    benchmark.extra_info.update(problem=str(p), macs=harness.cost(p).macs)
    benchmark(runner.run)


if __name__ == "__main__":
    sys.exit(main())
