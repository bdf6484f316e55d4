"""Whole networks through the Python API, beside other engines.

    python -m benchmarks.bench_networks                               eleven networks, five peers
    python -m benchmarks.bench_networks --networks mobilenet_v1       one of them
    python -m benchmarks.bench_networks --threads 2 --batch 8
    python -m benchmarks.bench_networks --accuracy exact
    python -m benchmarks.bench_networks --isa avx2                    capped, and the peers that can be

Random weights, fp32, 224x224 (LeNet-5 28x28). Every engine is given the same graph with its batch norms
folded, and its result is compared with ours in exact mode before it is timed (largest difference as a
share of the largest output, at most 1e-3). Ours reads NCHW and writes into `out=`; the peers' inputs and
outputs stand in buffers of their own choosing beforehand. Times are in ms: medians of interleaved rounds,
each sample after one untimed run. `ratio` is the best peer's median by ours, `peak` the share of the FMA
peak (`FMA`, GFLOP/s, all threads, same rounds) that the network's unpadded FLOPs reach in our minimum,
`first` the time from the file to the first result.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pyconv.study import machine
from pyconv.study.timing import Case

from . import harness, peers
from .harness import Measured, Options, Report
from .networks import NETWORKS, Network, ours
from .networks.engines import Engine, Setup, ready, write
from .networks.graph import Unsupported
from .problems import Goal

NO_WINOGRAD = ("onnxruntime", "openvino", "torch")
BUDGET_SECONDS = 20.0
SAMPLE_SECONDS = 0.002


def columns(names: Sequence[str]) -> tuple[harness.Column, ...]:
    return (
        ("network", 17, "s"), ("ours", 8, ".3f"), ("min", 8, ".3f"), ("+-%", 4, ".1f"),
        ("peak", 6, ".1%"), ("FMA", 5, ".0f"), *((name, 11, ".3f") for name in names),
        ("best", 11, "s"), ("ratio", 5, ".2f"), ("goal", 5, ".2f"), ("first", 7, ".1f"),
    )  # fmt: skip


ENGINE_COLUMNS: tuple[harness.Column, ...] = (
    ("network", 17, "s"), ("engine", 11, "s"), ("how", 9, "s"), ("median", 8, ".3f"), ("min", 8, ".3f"),
    ("+-%", 4, ".1f"), ("load", 8, ".1f"), ("first run", 9, ".1f"), ("error", 7, ".1e"),
)  # fmt: skip


def prepared(
    network: Network, setup: Setup, names: Sequence[str], report: Report
) -> tuple[dict[str, Engine], int]:
    """Every engine that can run the network, checked; those that can't are noted. And its MACs."""
    engines: dict[str, Engine] = {}
    with tempfile.TemporaryDirectory() as folder:
        task = write(network, setup, names, Path(folder))
        for name in (ours.NAME, *names):
            try:
                engines[name] = ready(name, task, setup)
            except (Unsupported, peers.WrongResult) as error:
                if name == ours.NAME:
                    raise
                report.note(f"{network.name}: {name} left out: {error}")
            gc.collect()
    return engines, task.macs


def timed(engines: dict[str, Engine], setup: Setup, opts: Options) -> Measured:
    """All engines and the FMA peak of so many threads, in interleaved rounds."""
    peaks: list[float] = []

    def peak() -> None:
        peaks.append(machine.fma_peak(setup.isa, threads=setup.threads, seconds=harness.PEAK_SECONDS))

    cases: dict[str, Case] = {name: engine.runner.run for name, engine in engines.items()}
    run = harness.interleaved({**cases, harness.PEAK: peak}, opts)
    return Measured(run, max(peaks))


def goal(network: Network, setup: Setup) -> Goal:
    """The ratio to reach in this setup; exact mode is held against the engines without Winograd."""
    if setup.accuracy == "exact":
        return Goal("exact", ">=", 1.0)
    plain = setup.isa is None and setup.threads == 1 and setup.batch == 1
    return Goal("ratio", ">=", network.goal if plain else 1.0)


def add_rows(
    network: Network,
    setup: Setup,
    engines: dict[str, Engine],
    macs: int,
    measured: Measured,
    reports: tuple[Report, Report],
) -> None:
    main, each = reports
    run, own = measured.run, measured.run[ours.NAME]
    medians = {name: run[name].median for name in engines if name != ours.NAME}
    best = min(medians, key=lambda name: medians[name]) if medians else None
    wanted = goal(network, setup)
    values = {}
    if best is not None:
        values["ratio"] = medians[best] / own.median
        plain = [medians[name] for name in NO_WINOGRAD if name in medians]
        if plain:
            values["exact"] = min(plain) / own.median
        main.judge(network.name, [wanted], values)
    first = engines[ours.NAME]
    row: dict[str, object] = {
        "network": network.name, "ours": own.median * 1e3, "min": own.minimum * 1e3, "+-%": 100 * own.spread,
        "peak": measured.share_of_peak(ours.NAME, 2 * macs),
        "FMA": measured.peak_gflops, "best": best or "-", "ratio": values.get(wanted.figure),
        "goal": wanted.wanted, "first": 1e3 * (first.load_seconds + first.first_seconds),
        **{name: 1e3 * seconds for name, seconds in medians.items()},
    }  # fmt: skip
    main.add(row, measured.as_dict())
    for name, engine in engines.items():
        each.add(
            {
                "network": network.name, "engine": name, "how": engine.runner.how,
                "median": run[name].median * 1e3, "min": run[name].minimum * 1e3,
                "+-%": 100 * run[name].spread, "load": engine.load_seconds * 1e3,
                "first run": engine.first_seconds * 1e3, "error": engine.error,
            },
        )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    opts = replace(harness.options(parsed), budget_seconds=BUDGET_SECONDS, threads=parsed.threads)
    names = peers.NAMES if parsed.peers == "all" else opts.peers
    for name in names:
        peers.load(name)
    setup = Setup(parsed.batch, parsed.threads, parsed.accuracy, parsed.isa)
    title = f"ms, {setup.accuracy}, batch {setup.batch}, threads {setup.threads}"
    report = Report(title if setup.isa is None else f"{title}, {setup.isa}", columns(names))
    each = Report("each engine (ms)", ENGINE_COLUMNS, quiet=True)
    report.start()
    chosen = list(NETWORKS) if parsed.networks == "all" else parsed.networks.split(",")
    for name in chosen:
        engines, macs = prepared(NETWORKS[name], setup, names, report)
        add_rows(NETWORKS[name], setup, engines, macs, timed(engines, setup, opts), (report, each))
        del engines
        gc.collect()
    report.finish()
    each.show()
    return harness.finish([report, each], opts)


def _parser() -> argparse.ArgumentParser:
    parser = harness.parser(__doc__)
    parser.set_defaults(rounds=15, sample_ms=1e3 * SAMPLE_SECONDS)
    parser.add_argument("--peers", default="all", help="comma-separated, 'all' (default) or '' for none")
    parser.add_argument("--networks", default="all", help="comma-separated; default all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--accuracy", choices=("fast", "exact"), default="fast")
    parser.add_argument("--isa", help="nothing beyond: avx2 or avx512")
    return parser


if __name__ == "__main__":
    sys.exit(main())
