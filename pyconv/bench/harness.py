"""What the benchmarks share: conditions, ceilings, goals, tables, JSON.

Timing itself is `pyconv.study.timing.measure`: interleaved rounds, ratios taken round by round. The
FMA peak is one more case of the same rounds, so that a slow phase of the clock falls on it as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import log2
from pathlib import Path

import pyconv
from pyconv.study import machine
from pyconv.study.cost import Cost, convolution_cost
from pyconv.study.machine_probe import clock_now
from pyconv.study.timing import Case, Measurement, measure

from .problems import Goal, Problem

ROOT = Path(__file__).resolve().parents[2]
"""Where the package lies: the source tree, or what it was installed into."""
PEAK = "peak"
PEAK_SECONDS = 0.001


@dataclass
class Options:
    """How long to measure, beside whom, and where to write."""

    rounds: int = 40
    sample_seconds: float = 0.0008
    budget_seconds: float = 3.0
    peers: tuple[str, ...] = ()
    json: Path | None = None
    quiet: bool = False
    threads: int = 1


def parser(doc: str | None) -> argparse.ArgumentParser:
    """An argument parser with the options that every benchmark has."""
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--rounds", type=int, default=40, help="interleaved rounds (default 40)")
    result.add_argument("--sample-ms", type=float, default=0.8, help="length of one sample (default 0.8)")
    result.add_argument("--cpu", type=int, help="run on this CPU only")
    result.add_argument("--json", type=Path, help="write the figures to this file")
    return result


def options(arguments: argparse.Namespace) -> Options:
    """Options from parsed arguments; pins the process when asked to."""
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    peers = getattr(arguments, "peers", "")
    return Options(
        rounds=arguments.rounds,
        sample_seconds=arguments.sample_ms * 1e-3,
        peers=tuple(name for name in peers.split(",") if name),
        json=arguments.json,
    )


@dataclass(frozen=True)
class Measured:
    """One interleaved run and the best FMA rate that was seen during it.

    Goals are judged on the minimum over the rounds, against the best of the peak and of the peers
    over the same rounds: what else runs on a shared machine only ever adds time.
    """

    run: Measurement
    peak_gflops: float

    def seconds(self, name: str) -> float:
        return self.run[name].minimum

    def ratio(self, slow: str, fast: str) -> float:
        """How many times faster `fast` is than `slow`."""
        return self.seconds(slow) / self.seconds(fast)

    def share_of_peak(self, name: str, flops: float) -> float:
        return flops / self.seconds(name) * 1e-9 / self.peak_gflops

    def as_dict(self) -> dict[str, object]:
        return {"peak_gflops": self.peak_gflops, **self.run.as_dict()}


def interleaved(cases: Mapping[str, Case], opts: Options) -> Measurement:
    """Times the cases in interleaved rounds, each with warm caches."""
    return measure(
        cases,
        rounds=opts.rounds,
        sample_seconds=opts.sample_seconds,
        budget_seconds=opts.budget_seconds,
        settle=True,
    )


def measure_beside_peak(
    cases: Mapping[str, Case], opts: Options, isa: str | None = None, threads: int = 1
) -> Measured:
    """Times `cases` in interleaved rounds, with the FMA peak of `isa` as one more case."""
    peaks: list[float] = []

    def peak() -> None:
        peaks.append(machine.fma_peak(isa, threads=threads, seconds=PEAK_SECONDS))

    run = interleaved({**cases, PEAK: peak}, opts)
    return Measured(run, max(peaks))


def cost(p: Problem) -> Cost:
    """MACs, parameters and bytes of a convolution with bias."""
    return convolution_cost(p, bias=True)


def bound_seconds(p: Problem, peak_gflops: float, isa: str | None = None) -> float:
    """The larger of FLOPs at the peak, and least bytes at the bandwidth of their level."""
    counted = cost(p)
    traffic = traffic_seconds(4 * (counted.src + counted.parameters), 4 * counted.dst, isa)
    return max(counted.flops * 1e-9 / peak_gflops, traffic)


@cache
def _rates(footprint: int, isa: str | None) -> tuple[float, float]:
    """(read, copy) bandwidth in bytes/s over a footprint, measured once in this process."""
    read, copy = (
        machine.bandwidth(footprint, kind, isa=isa, seconds=0.02) * 1e9 for kind in ("read", "copy")
    )
    return read, copy


def copy_case(footprint: int, rates: list[float], isa: str | None = None) -> Case:
    """A case that puts the rate of a copy over `footprint` bytes into `rates`: bytes per second,
    read and written together.

    The footprint shrinks by up to 0.6 % from call to call: source and destination a power of two
    apart may share their DRAM banks, which halves the rate, and the fastest pair is what counts.
    """

    def copy() -> None:
        bytes_moved = footprint - footprint // 500 * (len(rates) % 4)
        rates.append(machine.bandwidth(bytes_moved, "copy", isa=isa, seconds=PEAK_SECONDS) * 1e9)

    return copy


def read_seconds(count: float, footprint: int, isa: str | None = None) -> float:
    """The least time to read so many bytes from the level that holds `footprint` bytes."""
    return count / _rates(_rounded(footprint), isa)[0]


def traffic_seconds(read: int, written: int, isa: str | None = None) -> float:
    """The least time to read and write so many bytes, from the level that holds them all.

    Linear in both, and exact for the two things that were measured: reading alone, and copying.
    """
    read_rate, copy_rate = _rates(_rounded(read + written), isa)
    return read / read_rate + written * max(0.0, 2 / copy_rate - 1 / read_rate)


def _rounded(footprint: int) -> int:
    """To a quarter of an octave between 4 KiB and 256 MiB, so that few bandwidths are measured."""
    octaves = min(max(12.0, log2(max(1, footprint))), 28.0)
    return round(2 ** (round(4 * octaves) / 4))


@dataclass
class Verdict:
    """A goal, what was measured against it, and where."""

    where: str
    goal: Goal
    value: float

    @property
    def reached(self) -> bool:
        return self.goal.reached(self.value)

    def __str__(self) -> str:
        word = "reached" if self.reached else "NOT REACHED"
        return f"{self.where}: {self.goal}: {self.value:.3g} {word}"


Column = tuple[str, int, str]


@dataclass
class Report:
    """Rows printed as they come, verdicts printed at the end, all of it written as JSON."""

    title: str
    columns: tuple[Column, ...]
    quiet: bool = False
    rows: list[dict[str, object]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def start(self) -> None:
        self._print(f"\n{self.title}")
        self._print(self._header())

    def add(self, row: dict[str, object], detail: Mapping[str, object] | None = None) -> None:
        self.rows.append({**row, **({"detail": detail} if detail else {})})
        self._print(self._line(row))

    def judge(self, where: str, goals: Iterable[Goal], values: Mapping[str, float]) -> None:
        for goal in goals:
            if goal.figure in values:
                self.verdicts.append(Verdict(where, goal, values[goal.figure]))

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._print(text)

    def text(self) -> str:
        """The whole table."""
        lines = [self.title, self._header(), *map(self._line, self.rows), *self.notes]
        return "\n".join(line.rstrip() for line in lines) + "\n"

    def save(self, path: Path, threads: int = 1) -> None:
        """Writes the table below the conditions that it holds for."""
        words = ", ".join(f"{key} {value}" for key, value in environment(threads).items())
        path.write_text(f"{words}\n\n{self.text()}", encoding="utf-8")

    def show(self) -> None:
        """Prints all rows now, of a report that was quiet while they came."""
        self.quiet = False
        self.start()
        for row in self.rows:
            self._print(self._line(row))
        for note in self.notes:
            self._print(note)

    def finish(self) -> None:
        if not self.verdicts:
            return
        missed = [verdict for verdict in self.verdicts if not verdict.reached]
        self._print(f"goals: {len(self.verdicts) - len(missed)} of {len(self.verdicts)} reached")
        for verdict in missed:
            self._print(f"  {verdict}")

    def as_dict(self) -> dict[str, object]:
        return {
            "title": self.title,
            "rows": self.rows,
            "notes": self.notes,
            "goals": [
                {
                    "where": v.where,
                    "goal": str(v.goal),
                    "value": v.value,
                    "reached": v.reached,
                }
                for v in self.verdicts
            ],
        }

    def _header(self) -> str:
        return "  ".join(f"{name:{_side(form)}{width}}" for name, width, form in self.columns)

    def _line(self, row: Mapping[str, object]) -> str:
        return "  ".join(_cell(row.get(name), width, form) for name, width, form in self.columns)

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(text.rstrip(), flush=True)


def _side(form: str) -> str:
    return "<" if form == "s" else ">"


def _cell(value: object, width: int, form: str) -> str:
    text = "-" if value is None else format(value, form)
    return f"{text:{_side(form)}{width}}"


def finish(reports: Iterable[Report], opts: Options) -> int:
    """Prints the conditions, writes the JSON; 0 when every goal was reached, else 1."""
    kept = list(reports)
    surroundings = environment(opts.threads)
    words = (f"{key} {value}" for key, value in surroundings.items())
    print("\n" + ", ".join(words), flush=True)
    if opts.json is not None:
        payload = {"environment": surroundings, "reports": [report.as_dict() for report in kept]}
        opts.json.write_text(json.dumps(payload, indent=1), encoding="utf-8")
    return 0 if all(v.reached for report in kept for v in report.verdicts) else 1


def environment(threads: int = 1) -> dict[str, object]:
    """What the figures hold for: machine, build, commit, and what else ran meanwhile."""
    return {
        "cpu": machine.cpu_name(),
        "threads": threads,
        "python": platform.python_version(),
        "pyconv": pyconv.__version__,
        "compiler": compiler(),
        "commit": commit(),
        "clock_ghz": round(clock_now(), 2),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def compiler() -> str:
    """The compiler that built the extension, as show_config() tells."""
    return pyconv.show_config().splitlines()[0].partition("compiled by ")[2]


def commit() -> str:
    """The commit of the source tree, of which the package is part or in which one stands, + when there are
    changes."""
    tree = next((path for path in (ROOT, Path.cwd()) if (path / "csrc" / "ops").is_dir()), None)
    if tree is None:
        return "unknown"
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            cwd=tree,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal, where rich is installed; else nothing."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield lambda text: None
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: None
        return
    with Progress(console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task(title, total=total)

        def advance(text: str) -> None:
            bar.update(task, advance=1, description=text)

        yield advance
