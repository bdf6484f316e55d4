"""Running a suite: jobs are made ready one by one, checked, and timed in interleaved rounds beside the FMA peak.

The suite goes through all of its jobs once for every pass, and makes each ready anew: passes lie apart in time,
and their buffers elsewhere in memory, so that what differs from pass to pass shows what a comparison of two
results may not call a difference.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyconv.study import machine
from pyconv.study.machine_probe import Clock, clock_now
from pyconv.study.timing import Conditions, watch

from . import harness
from .harness import Options
from .peers import Runner
from .result import Case, Result

CLOCK_SECONDS = 0.01


@dataclass(frozen=True)
class Job:
    """Something to time: `prepare` makes it ready in every engine, with results checked, and says its MACs.
    Names are unique within a suite; rates are judged by the peak of `isa`, of so many threads."""

    name: str
    prepare: Callable[[], tuple[int, Mapping[str, Runner]]]
    isa: str | None = None
    threads: int = 1


class LeftOut(ValueError):
    """Why a job can't run here."""


Advance = Callable[[str], None]


def run(
    name: str, jobs: Sequence[Job], opts: Options, *, passes: int = 3, on_job: Advance | None = None
) -> Result:
    """Times all jobs in so many passes; `on_job(name)` is called before each."""
    if passes < 1:
        raise ValueError(f"passes: expected at least 1, got {passes}")
    found: dict[tuple[str, str], Case] = {}
    notes: dict[str, None] = {}
    clock: list[float] = []
    with watch() as conditions:
        for _ in range(passes):
            for job in jobs:
                if on_job is not None:
                    on_job(job.name)
                try:
                    measured = _timed(job, opts)
                except LeftOut as reason:
                    notes[f"{job.name}: {reason}"] = None
                    continue
                for case in measured:
                    found[case.key] = found[case.key].and_then(case) if case.key in found else case
                clock.append(clock_now(CLOCK_SECONDS))
                gc.collect()
    peak = max((peak for case in found.values() for peak in case.peaks), default=None)
    surroundings = {**environment(opts.threads), **_told(conditions(), clock), "peak_gflops": peak}
    return Result(name, surroundings, tuple(found.values()), tuple(notes))


def _timed(job: Job, opts: Options) -> list[Case]:
    macs, runners = job.prepare()
    cases = {engine: runner.run for engine, runner in runners.items()}
    measured = harness.measure_beside_peak(cases, opts, job.isa, job.threads)
    return [
        Case(job.name, engine, runner.how, (measured.run[engine].samples,), (measured.peak_gflops,), macs)
        for engine, runner in runners.items()
    ]


def _told(conditions: Conditions, clock: Sequence[float]) -> dict[str, object]:
    return {
        "seconds": conditions.seconds,
        "steal_share": conditions.steal_share,
        "load_before": conditions.load_before,
        "load_after": conditions.load_after,
        "preemptions": conditions.preemptions,
        "clock_ghz": asdict(Clock.of(clock)) if clock else None,
    }


def environment(threads: int = 1) -> dict[str, Any]:
    """Machine, build and tree; the isa is the best that this process may use, `usable_cpus` those that it may."""
    known = harness.environment(threads)
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = os.cpu_count()
    usable = len(affinity(0)) if affinity else cpus
    return {**known, "isa": machine.current_isa(), "cpus": cpus, "usable_cpus": usable}


def fitting(names: Sequence[str], wanted: Sequence[str], what: str) -> list[str]:
    """Those wanted, all where none is named; ValueError names what is unknown."""
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ValueError(f"{what}: expected some of {', '.join(names)}, got {', '.join(unknown)}")
    return list(wanted or names)


def writable(path: Path | None) -> Path | None:
    """The path, told now and not after minutes if nothing can be written there."""
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"{path}: expected a folder that exists, got {path.parent}")
    return path
