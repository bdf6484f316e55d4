"""Latencies on two threads while another process keeps one of the cores busy, beside quiet ones.

All engines stand in one process and take turns in blocks of calls; a pause before each block lets the
workers of the engine before it fall asleep. A block ends early after 0.3 s, so that slow engines have
fewer `calls`. `idle` is the CPU time that the process uses in the pause
after an inference, as a share of one core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .. import harness
from ..problems import Goal
from . import ours
from .engines import Engine

CALLS, BLOCKS = 25, 8
BLOCK_SECONDS = 0.3
PAUSE_SECONDS = 0.05
IDLE_SECONDS = 1 / 6
SLOWER_BY = 1.7
BUSY = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile True: pass"

COLUMNS: tuple[harness.Column, ...] = (
    ("engine", 11, "s"), ("quiet", 8, ".3f"), ("quiet p99", 9, ".3f"), ("loaded", 8, ".3f"),
    ("loaded p99", 10, ".3f"), ("slower", 6, ".2f"), ("idle", 6, ".1%"), ("calls", 5, "d"),
)  # fmt: skip


def run(network: str, engines: dict[str, Engine]) -> harness.Report:
    """Quiet blocks, then blocks beside the busy process."""
    report = harness.Report(f"{network}: two threads, one core busy with another process (ms)", COLUMNS)
    report.start()
    with others(report, "quiet"):
        quiet = latencies(engines)
    idle = {name: _idle(engine) for name, engine in engines.items()}
    with busy_process(max(os.sched_getaffinity(0))), others(report, "loaded"):
        loaded = latencies(engines)
    p99: dict[str, float] = {}
    for name in engines:
        before, during = quiet[name], loaded[name]
        p99[name] = float(np.percentile(during, 99))
        report.add({
            "engine": name, "quiet": 1e3 * np.median(before), "quiet p99": 1e3 * np.percentile(before, 99),
            "loaded": 1e3 * np.median(during), "loaded p99": 1e3 * p99[name],
            "slower": np.median(during) / np.median(before), "idle": idle[name], "calls": len(during),
        })  # fmt: skip
    slower = float(np.median(loaded[ours.NAME]) / np.median(quiet[ours.NAME]))
    figures = {"slower": slower}
    goals = [Goal("slower", "<=", SLOWER_BY)]
    rivals = [value for name, value in p99.items() if name != ours.NAME]
    if rivals:
        figures["p99"] = p99[ours.NAME] / min(rivals)
        goals.append(Goal("p99", "<=", 0.5))
    report.judge(network, goals, figures)
    report.finish()
    return report


def latencies(engines: dict[str, Engine]) -> dict[str, list[float]]:
    """Seconds of every call, in blocks that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    names = list(engines)
    for block in range(BLOCKS):
        turn = block % len(names)
        for name in names[turn:] + names[:turn]:
            time.sleep(PAUSE_SECONDS)
            call = engines[name].runner.run
            call()
            begun = time.perf_counter()
            for _ in range(CALLS):
                started = time.perf_counter()
                call()
                finished = time.perf_counter()
                seconds[name].append(finished - started)
                if finished - begun > BLOCK_SECONDS:
                    break
    return seconds


def _idle(engine: Engine) -> float:
    shares = []
    for _ in range(6):
        engine.runner.run()
        used, started = time.process_time(), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        shares.append((time.process_time() - used) / (time.perf_counter() - started))
    return float(np.median(shares))


@contextmanager
def others(report: harness.Report, phase: str) -> Iterator[None]:
    """Notes what all other processes used of the machine meanwhile, in cores, where it was a tenth of one."""
    started, busy, own = time.perf_counter(), _busy_seconds(), time.process_time()
    yield
    used = _busy_seconds() - busy - (time.process_time() - own)
    cores = used / (time.perf_counter() - started)
    if cores > 0.1:
        report.note(f"{phase}: other processes used {cores:.1f} cores")


def _busy_seconds() -> float:
    """Seconds that all CPUs together have worked; 0 where the system does not tell."""
    try:
        words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, words)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


@contextmanager
def busy_process(cpu: int) -> Iterator[None]:
    """Another process that never rests, on one CPU."""
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(cpu)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()
