"""Whole networks through the Python API, beside other engines.

    python -m benchmarks.bench_networks                               eleven networks, five peers
    python -m benchmarks.bench_networks --networks mobilenet_v1       one of them
    python -m benchmarks.bench_networks --threads 2 --batch 8
    python -m benchmarks.bench_networks --accuracy exact
    python -m benchmarks.bench_networks --isa avx2                    capped, and the peers that can be
    python -m benchmarks.bench_networks --layers                      our steps against their bounds
    python -m benchmarks.bench_networks --memory                      resident size, a process per engine
    python -m benchmarks.bench_networks --contention --threads 2 --networks mobilenet_v1

Random weights, fp32, 224x224 (LeNet-5 28x28). Every engine is given the same graph with its batch norms
folded, and its result is compared with ours in exact mode before it is timed and afterwards (largest
difference as a share of the largest output, at most 1e-3). Ours reads NCHW and writes into `out=`; the
peers' inputs and outputs stand in buffers of their own choosing beforehand, but for MNN, whose session
overwrites its input. Times are in ms: medians of interleaved rounds, each sample after one untimed run.

`ratio` is the best peer's median by ours; engines with Winograd do not count beside exact mode, nor those
that cannot be capped beside --isa avx2. `peak` is the share of the FMA peak (`FMA`, GFLOP/s, all threads,
same rounds) that the network's unpadded FLOPs reach in our minimum, `first` the time from the file to the
first result.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import pyconv
from pyconv.bench import harness, peers
from pyconv.bench.harness import Measured, Options, Report
from pyconv.bench.networks import NETWORKS, Network, contention, module, ours, pictures
from pyconv.bench.networks import layers as profiles
from pyconv.bench.networks import memory as resident
from pyconv.bench.networks.engines import Engine, Setup, Task, checked, ready, write
from pyconv.bench.networks.graph import Unsupported
from pyconv.bench.networks.suite import jobs as networks
from pyconv.bench.problems import Goal
from pyconv.study import machine
from pyconv.study.timing import Case, measure

NO_WINOGRAD = ("onnxruntime", "openvino", "torch")
CAN_BE_CAPPED = ("openvino", "torch")
BUDGET_SECONDS = 20.0
SAMPLE_SECONDS = 0.002
LARGEST_GAPS = 12
# onnxruntime's workers spin for 33 ms after a run (AMD Zen 5, --contention: idle 20 % of 1/6 s).
REST_SECONDS = 0.05
RESULTS = Path(__file__).parent / "results"
# What oneDNN and torch read; onnxruntime, ncnn and MNN have no cap.
CAPPED = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


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
) -> tuple[dict[str, Engine], Task]:
    """Every engine that can run the network, checked; those that can't are noted."""
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
    return engines, task


def timed(engines: dict[str, Engine], setup: Setup, opts: Options) -> Measured:
    """All engines and the FMA peak of so many threads, in interleaved rounds; with several threads, a rest
    after each sample, in which workers that spin fall asleep."""
    peaks: list[float] = []

    def peak() -> None:
        peaks.append(machine.fma_peak(setup.isa, threads=setup.threads, seconds=harness.PEAK_SECONDS))

    def rest(_: str) -> None:
        if setup.threads > 1:
            time.sleep(REST_SECONDS)

    cases: dict[str, Case] = {name: engine.runner.run for name, engine in engines.items()}
    run = measure(
        {**cases, harness.PEAK: peak}, rounds=opts.rounds, sample_seconds=opts.sample_seconds,
        budget_seconds=opts.budget_seconds, settle=True, on_sample=rest,
    )  # fmt: skip
    return Measured(run, max(peaks))


def goal(network: Network, setup: Setup) -> Goal:
    """The ratio to reach: the network's own in the default setup, else 1."""
    return Goal("ratio", ">=", network.goal if setup == Setup() else 1.0)


def rivals(setup: Setup) -> Sequence[str]:
    """The engines that count: without Winograd beside exact mode, capped beside a cap; the others are
    shown."""
    if setup.isa == "avx2":
        return CAN_BE_CAPPED
    return NO_WINOGRAD if setup.accuracy == "exact" else peers.NAMES


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
    counted = [name for name in rivals(setup) if name in medians]
    best = min(counted, key=lambda name: medians[name], default=None)
    wanted = goal(network, setup)
    ratio = None if best is None else medians[best] / own.median
    if ratio is not None:
        main.judge(network.name, [wanted], {"ratio": ratio})
    first = engines[ours.NAME]
    row: dict[str, object] = {
        "network": network.name, "ours": own.median * 1e3, "min": own.minimum * 1e3, "+-%": 100 * own.spread,
        "peak": measured.share_of_peak(ours.NAME, 2 * macs),
        "FMA": measured.peak_gflops, "best": best or "-", "ratio": ratio,
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


def compare(chosen: Sequence[Network], setup: Setup, opts: Options) -> list[Report]:
    """The table, then a line for each engine."""
    main = Report(_title("ms", setup), columns(opts.peers))
    each = Report("each engine (ms)", ENGINE_COLUMNS, quiet=True)
    main.start()
    for network in chosen:
        engines, task = prepared(network, setup, opts.peers, main)
        with contention.others(main, network.name):
            measured = timed(engines, setup, opts)
        for name, engine in engines.items():
            checked(engine.runner.result(), task.expected, f"{name} (last run)")
        add_rows(network, setup, engines, task.macs, measured, (main, each))
        del engines
        gc.collect()
    ratios = [row["ratio"] for row in main.rows if row["ratio"] is not None]
    if len(ratios) > 1:
        main.note(f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.3f}")
    each.show()
    main.finish()
    return [main, each]


def layers(chosen: Sequence[Network], setup: Setup, opts: Options) -> list[Report]:
    """The largest gaps of each network; all of its layers go to a file of benchmarks/results."""
    reports = []
    for network in chosen:
        shape = (setup.batch, *network.shape)
        model = pyconv.compile(
            module(network), shape, threads=setup.threads, accuracy=setup.accuracy, max_isa=setup.isa
        )
        profile = profiles.profiled(model, pictures(shape), setup.isa)
        title = _title(f"{network.name}: steps by their gap (us)", setup)
        profiles.report(title, profile, LARGEST_GAPS).show()
        reports.append(profiles.report(title, profile))
        name = "-".join([str(date.today()), "layers", network.name, *_unusual(setup)])
        reports[-1].save(RESULTS / f"{name}.txt", setup.threads)
    return reports


def contend(chosen: Sequence[Network], setup: Setup, opts: Options) -> list[Report]:
    """Latencies with one core busy."""
    reports = []
    for network in chosen:
        report = Report(network.name, ())
        engines, _ = prepared(network, setup, opts.peers, report)
        reports.append(contention.run(network.name, engines))
    return reports


def memory(chosen: Sequence[Network], setup: Setup, opts: Options) -> list[Report]:
    """Resident memory, one process for each engine."""
    report = Report(_title("MiB", setup), resident.COLUMNS)
    report.start()
    for network in chosen:
        with tempfile.TemporaryDirectory() as folder:
            task = write(network, setup, opts.peers, Path(folder))
            resident.measure(network.name, task, setup, opts.peers, report)
    report.finish()
    return [report]


def _title(text: str, setup: Setup) -> str:
    isa = f", {setup.isa}" if setup.isa else ""
    return f"{text}, {setup.accuracy}, batch {setup.batch}, threads {setup.threads}{isa}"


def _unusual(setup: Setup) -> list[str]:
    """What of the setup is not the default, for names of files."""
    words = [
        (setup.accuracy, setup.accuracy != "fast"), (f"b{setup.batch}", setup.batch != 1),
        (f"t{setup.threads}", setup.threads != 1), (str(setup.isa), setup.isa is not None),
    ]  # fmt: skip
    return [word for word, said in words if said]


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.isa == "avx2":
        os.environ.update(CAPPED)
    opts = replace(harness.options(parsed), budget_seconds=BUDGET_SECONDS, threads=parsed.threads)
    opts.peers = peers.NAMES if parsed.peers == "all" else opts.peers
    names = list(NETWORKS) if parsed.networks == "all" else parsed.networks.split(",")
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        parser.error(f"--networks: expected some of {', '.join(NETWORKS)}, got {', '.join(unknown)}")
    if parsed.mode is not layers and parsed.mode is not memory:
        for name in opts.peers:
            peers.load(name)
    setup = Setup(parsed.batch, parsed.threads, parsed.accuracy, parsed.isa)
    return harness.finish(parsed.mode([NETWORKS[name] for name in names], setup, opts), opts)


def _parser() -> argparse.ArgumentParser:
    parser = harness.parser(__doc__)
    parser.set_defaults(rounds=15, sample_ms=1e3 * SAMPLE_SECONDS)
    parser.add_argument("--peers", default="all", help="comma-separated, 'all' (default) or '' for none")
    parser.add_argument("--networks", default="all", help="comma-separated; default all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--accuracy", choices=("fast", "exact"), default="fast")
    parser.add_argument("--isa", choices=("avx2", "avx512"), help="nothing beyond")
    modes = parser.add_mutually_exclusive_group()
    for name, mode in (("layers", layers), ("contention", contend), ("memory", memory)):
        modes.add_argument(f"--{name}", dest="mode", action="store_const", const=mode, help=mode.__doc__)
    parser.set_defaults(mode=compare)
    return parser


SUITE = ("lenet5", "mobilenet_v1")


@pytest.mark.parametrize("job", networks(SUITE), ids=lambda job: job.name)
def test_network(benchmark, job):
    macs, runners = job.prepare()
    benchmark.extra_info.update(macs=macs)
    benchmark(runners[ours.NAME].run)


if __name__ == "__main__":
    sys.exit(main())
