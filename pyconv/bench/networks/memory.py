"""Resident memory of one network in a process of its own for every engine.

`growth` is what loading the file and ten runs add to the process that has imported the engine, `peak` the
most that it ever held, `first` the time from the file to the first result.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import harness, peers
from ..problems import Goal, aligned
from . import ours
from .engines import Setup, Task, checked, ways
from .graph import Unsupported

RUNS = 10
MIB = 2.0**20
COLUMNS: tuple[harness.Column, ...] = (
    ("network", 17, "s"), ("engine", 11, "s"), ("imports", 8, ".1f"), ("growth", 8, ".1f"),
    ("resident", 8, ".1f"), ("peak", 8, ".1f"), ("first ms", 8, ".1f"),
)  # fmt: skip


def measure(network: str, task: Task, setup: Setup, names: Sequence[str], report: harness.Report) -> None:
    """A row for every engine; ours is judged by the median of the peers' growth."""
    np.save(task.folder / "src.npy", task.src)
    np.save(task.folder / "expected.npy", task.expected)
    growth: dict[str, float] = {}
    for name in (ours.NAME, *names):
        command = [sys.executable, "-m", __name__, name, str(task.folder), json.dumps(asdict(setup))]
        done = subprocess.run(command, cwd=harness.ROOT, capture_output=True, text=True)
        if done.returncode:
            report.note(f"{network}: {name} left out: {done.stderr.strip().splitlines()[-1:]}")
            continue
        row = json.loads(done.stdout.splitlines()[-1])
        growth[name] = row["growth"]
        report.add({"network": network, "engine": name, **row})
    own = growth.pop(ours.NAME, None)
    if own is not None and growth:
        figures = {"growth": own / statistics.median(growth.values())}
        report.judge(network, [Goal("growth", "<=", 1.0)], figures)


def child(name: str, folder: Path, setup: Setup) -> dict[str, float]:
    """Loads and runs the network in this process."""
    stored = np.load(folder / "src.npy")
    src = aligned(stored.shape)
    src[...] = stored
    del stored
    expected = np.load(folder / "expected.npy")
    if name != ours.NAME and peers.load(name) is None:
        raise Unsupported("not installed")
    before = _status("VmRSS")
    started = time.perf_counter()
    runner = next(ways(name, Task(folder, src, expected, 0), setup))
    runner.run()
    first = time.perf_counter() - started
    for _ in range(RUNS - 1):
        runner.run()
    resident = _status("VmRSS")
    peak = _status("VmHWM")
    checked(runner.result(), expected, name)
    return {
        "imports": before / MIB, "growth": (resident - before) / MIB, "resident": resident / MIB,
        "peak": peak / MIB, "first ms": 1e3 * first,
    }  # fmt: skip


def _status(key: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status: no {key}")


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], Path(sys.argv[2]), Setup(**json.loads(sys.argv[3])))))
