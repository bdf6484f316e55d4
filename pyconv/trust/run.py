"""Runs promises, each in a process of its own, and says how it went."""

from __future__ import annotations

import json
import os
import platform
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pyconv
from pyconv.trust.promises import Promise, find

SILENCE = 120.0
"""Seconds without a word after which a promise counts as hanging."""

Progress = Callable[[float, dict[str, Any]], None]


@dataclass
class Outcome:
    """kept is None where the promise could not be shown here."""

    promise: str
    kept: bool | None
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    """What broke it, or why it was left out."""
    replay: str = ""
    """For `pyconv stress --replay`."""


@dataclass(frozen=True)
class Case:
    """One case of a promise, as `--replay` names it: PROMISE:SEED:NUMBER."""

    promise: str
    seed: int
    index: int

    @staticmethod
    def parse(text: str) -> Case:
        """
        >>> Case.parse("problems:7:123")
        Case(promise='problems', seed=7, index=123)
        """
        name, _, numbers = text.partition(":")
        seed, _, index = numbers.partition(":")
        if not (seed.isdecimal() and index.isdecimal()):
            raise ValueError(f"replay: expected PROMISE:SEED:NUMBER such as problems:7:123, got {text!r}")
        if not find(name).replays:
            raise ValueError(f"replay: the cases of {name!r} have no numbers; run it with --only {name}")
        return Case(name, int(seed), int(index))

    def __str__(self) -> str:
        return f"{self.promise}:{self.seed}:{self.index}"


def machine() -> dict[str, Any]:
    """Where it ran."""
    cpu = pyconv._core.cpu_info()
    isas = sorted({kernel.isa for kernel in pyconv.kernels() if kernel.available})
    return {"cpu": cpu.get("brand") or cpu.get("vendor", ""), "cpus": os.cpu_count(), "isas": isas,
            "system": platform.platform(), "python": platform.python_version(),
            "pyconv": pyconv.__version__}  # fmt: skip


def shared_out(seconds: float, chosen: Sequence[Promise]) -> dict[str, float]:
    """Seconds by promise."""
    total = sum(promise.share for promise in chosen)
    return {promise.name: seconds * promise.share / total for promise in chosen}


def show(
    promise: Promise,
    seed: int,
    seconds: float,
    *,
    limit: int | None = None,
    only: int | None = None,
    progress: Progress = lambda done, figures: None,
) -> Outcome:
    """Runs one promise for about so many seconds, at most `limit` cases, or case `only` alone."""
    with tempfile.TemporaryDirectory(prefix="pyconv-stress-") as folder:
        slot = Path(folder) / "case"
        slot.write_bytes(bytes(8))
        task = {"runs": promise.runs, "seed": seed, "seconds": seconds, "slot": str(slot)}
        task |= {"limit": limit, "only": only}
        started = time.monotonic()
        with open(Path(folder) / "errors", "w+b") as errors:
            child = _start(task, errors)
            try:
                last = _follow(child, progress)
            finally:
                _end(child)
            errors.seek(0)
            tail = errors.read().decode(errors="replace")[-2000:]
        outcome = _judge(promise, last, child.returncode, tail)
        outcome.seconds = time.monotonic() - started
        if outcome.kept is False and promise.replays:
            outcome.replay = str(Case(promise.name, seed, int.from_bytes(slot.read_bytes(), "little")))
        return outcome


def _start(task: dict[str, Any], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    # The interpreter's own paths, so that the child imports what the parent did.
    code = f"import sys; sys.path[:] = {sys.path!r}; from pyconv.trust.worker import main; main()"
    one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(task)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=errors, env={**os.environ, **one_thread, "PYTHONFAULTHANDLER": "1"},
    )  # fmt: skip


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def _follow(child: subprocess.Popen[bytes], progress: Progress) -> dict[str, Any]:
    """The last line the child said; {"hangs": ...} where it never came."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def read(stream: IO[bytes]) -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    assert child.stdout is not None
    reader = threading.Thread(target=read, args=(child.stdout,), daemon=True)
    reader.start()
    last: dict[str, Any] = {}
    while True:
        try:
            line = lines.get(timeout=SILENCE)
        except queue.Empty:
            child.kill()
            reader.join()
            return {"hangs": True, "figures": last.get("figures", {})}
        if line is None:
            child.wait()
            return last
        try:
            last = json.loads(line)
        except ValueError:  # not ours: what a library prints
            continue
        if "progress" in last:
            progress(last["progress"], last["figures"])


def _judge(promise: Promise, last: dict[str, Any], code: int, errors: str) -> Outcome:
    outcome = Outcome(promise.name, False, 0.0, last.get("figures", {}))
    if "kept" in last:
        outcome.kept = True
    elif "skipped" in last:
        outcome.kept, outcome.text = None, last["skipped"]
    elif "broken" in last:
        outcome.text = last["broken"]
    elif "hangs" in last:
        outcome.text = f"hangs: said nothing for {SILENCE:.0f} s"
    else:
        ending = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        outcome.text = f"ended {ending}\n{errors}".rstrip()
    return outcome
