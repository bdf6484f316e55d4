"""Every speed the project sets itself, measured, and whether it is reached.

    python -m benchmarks.targets                 all, about six minutes
    python -m benchmarks.targets pointwise call  some

Each target is also a command of its own, shown beside its name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from pyconv.bench import harness
from pyconv.bench.harness import Options, Report

from . import bench_call, bench_layers, bench_ops, no_cliffs, winograd_error


def _layers(shapes: str, *, peers: bool = False) -> Callable[[Options], list[Report]]:
    def run(opts: Options) -> list[Report]:
        beside = bench_layers.COUNTED if peers else ()
        return [bench_layers.run(shapes, replace(opts, peers=beside))]

    return run


TARGETS: dict[str, tuple[str, Callable[[Options], list[Report]]]] = {
    "pointwise": ("bench_layers mobilenet_v1_pointwise", _layers("mobilenet_v1_pointwise")),
    "dense": ("bench_layers dense", _layers("dense")),
    "peers": ("bench_layers weak_everywhere", _layers("weak_everywhere", peers=True)),
    "depthwise": ("bench_layers mobilenet_v1_depthwise", _layers("mobilenet_v1_depthwise")),
    "winograd": ("bench_layers winograd", _layers("winograd")),
    "error": ("winograd_error", lambda opts: [winograd_error.run(opts)]),
    "stream": ("bench_ops stream", lambda opts: [bench_ops.run_stream(opts)]),
    "pool": ("bench_ops pool", lambda opts: [bench_ops.run_pool(opts)]),
    "exp": ("bench_ops exp", lambda opts: [bench_ops.run_exp(opts)]),
    "call": ("bench_call", lambda opts: [bench_call.run(opts)]),
    "cliffs": ("no_cliffs", no_cliffs.run),
    "avx2": ("bench_layers avx2", _layers("avx2")),
}


def main(arguments: list[str] | None = None) -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(TARGETS))
    parsed = parser.parse_args(arguments)
    unknown = [name for name in parsed.names if name not in TARGETS]
    if unknown:
        parser.error(f"names: expected some of {', '.join(TARGETS)}, got {', '.join(unknown)}")
    opts = harness.options(parsed)
    reports: list[Report] = []
    lines = []
    for name in parsed.names or TARGETS:
        command, measure = TARGETS[name]
        found = measure(opts)
        reports += found
        verdicts = [verdict for report in found for verdict in report.verdicts]
        missed = [verdict for verdict in verdicts if not verdict.reached]
        lines.append(f"{name:10} {len(verdicts) - len(missed):3} of {len(verdicts):3}   {command}")
        lines += [f"{'':14}{verdict}" for verdict in missed]
    print("\ntargets reached\n" + "\n".join(lines), flush=True)
    return harness.finish(reports, opts)


if __name__ == "__main__":
    sys.exit(main())
