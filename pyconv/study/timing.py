"""Timing several things fairly against one another.

The cases are interleaved: one round takes one sample of every case, and the order rotates from
round to round, so a slow phase of the machine falls on all of them alike. Ratios are taken round
by round. Steal time, load and preemptions are recorded beside the figures.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

Case = Callable[[], object]
_MIN_ROUNDS = 3


@dataclass(frozen=True)
class Timing:
    """Samples of one case, in seconds per call.

    >>> t = Timing("sum", (3.0, 1.0, 2.0), calls_per_sample=10)
    >>> t.median, t.minimum
    (2.0, 1.0)
    """

    name: str
    samples: tuple[float, ...]
    calls_per_sample: int = 1

    @property
    def median(self) -> float:
        return float(np.median(self.samples))

    @property
    def minimum(self) -> float:
        return min(self.samples)

    @property
    def iqr(self) -> float:
        """Distance between the first and the third quartile, in seconds."""
        low, high = np.percentile(self.samples, [25, 75])
        return float(high - low)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return self.iqr / self.median if self.median > 0 else 0.0

    def as_dict(self) -> dict[str, object]:
        return {
            "median_s": self.median,
            "min_s": self.minimum,
            "iqr_s": self.iqr,
            "rounds": len(self.samples),
            "calls_per_sample": self.calls_per_sample,
        }


@dataclass(frozen=True)
class Conditions:
    """What else the machine did meanwhile. None where the system doesn't tell."""

    seconds: float
    steal_share: float | None = None
    load_before: float | None = None
    load_after: float | None = None
    preemptions: int | None = None

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class Measurement:
    """The timings of one interleaved run, by name, and the conditions of that run."""

    timings: Mapping[str, Timing]
    conditions: Conditions = field(default_factory=lambda: Conditions(0.0))

    def __getitem__(self, name: str) -> Timing:
        return self.timings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.timings)

    def __len__(self) -> int:
        return len(self.timings)

    def ratio(self, slow: str, fast: str) -> float:
        """How many times faster `fast` is than `slow`: the median of the ratios of each round."""
        return float(np.median(self._round_ratios(slow, fast)))

    def ratio_quartiles(self, slow: str, fast: str) -> tuple[float, float]:
        """First and third quartile of the ratios of each round."""
        low, high = np.percentile(self._round_ratios(slow, fast), [25, 75])
        return float(low), float(high)

    def _round_ratios(self, slow: str, fast: str) -> list[float]:
        return [s / f for s, f in zip(self[slow].samples, self[fast].samples, strict=True)]

    def as_dict(self) -> dict[str, object]:
        return {
            "timings": {name: timing.as_dict() for name, timing in self.timings.items()},
            "conditions": self.conditions.as_dict(),
        }


def measure(
    cases: Mapping[str, Case],
    *,
    rounds: int = 20,
    sample_seconds: float = 0.005,
    budget_seconds: float | None = None,
    settle: bool = False,
    on_sample: Callable[[str], None] | None = None,
) -> Measurement:
    """Times `cases` against one another in interleaved rounds.

    Each case is first called until it is warm; the number of calls in a sample is then chosen so
    that a sample lasts about `sample_seconds` (at least one call). With `budget_seconds` the rounds
    end early, after no fewer than three. With `settle` one untimed call precedes every sample and
    brings its data back into the caches that the other cases have filled. `on_sample(name)` is called
    after every sample, outside the timed part. The garbage collector rests meanwhile.

    >>> m = measure({"short": lambda: sum(range(10)), "long": lambda: sum(range(1000))},
    ...             rounds=5, sample_seconds=1e-4)
    >>> m.ratio("long", "short") > 1
    True
    """
    if not cases:
        raise ValueError("cases: expected at least one, got none")
    if rounds < 1:
        raise ValueError(f"rounds: expected at least 1, got {rounds}")
    before = _Snapshot()
    with _quiet_collector():
        calls = {name: calls_per_sample(case, sample_seconds) for name, case in cases.items()}
        samples: dict[str, list[float]] = {name: [] for name in cases}
        names = list(cases)
        started = time.perf_counter()
        for index in range(rounds):
            spent = time.perf_counter() - started
            if budget_seconds is not None and index >= _MIN_ROUNDS and spent > budget_seconds:
                break
            turn = index % len(names)
            for name in names[turn:] + names[:turn]:
                if settle:
                    cases[name]()
                samples[name].append(sample(cases[name], calls[name]))
                if on_sample is not None:
                    on_sample(name)
    timings = {name: Timing(name, tuple(samples[name]), calls[name]) for name in names}
    return Measurement(timings, _conditions_since(before))


@contextmanager
def watch() -> Iterator[Callable[[], Conditions]]:
    """What gives the conditions since it was entered.

    >>> with watch() as conditions:
    ...     _ = sum(range(1000))
    >>> conditions().seconds > 0
    True
    """
    before = _Snapshot()
    yield lambda: _conditions_since(before)


def sample(case: Case, calls: int) -> float:
    """Seconds per call, from one run of `calls` calls."""
    started = time.perf_counter()
    for _ in repeat(None, calls):
        case()
    return (time.perf_counter() - started) / calls


def calls_per_sample(case: Case, sample_seconds: float) -> int:
    """Warms the case up and says how many calls last about `sample_seconds`."""
    calls = 1
    case()
    while True:
        seconds = sample(case, calls)
        if seconds * calls >= sample_seconds / 2:
            return max(1, round(sample_seconds / max(seconds, 1e-9)))
        calls *= 4


@contextmanager
def _quiet_collector() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class _Snapshot:
    """The system's counters at one moment."""

    seconds: float = field(default_factory=lambda: time.perf_counter())
    ticks: tuple[int, int] | None = field(default_factory=lambda: _steal_and_total())
    load: float | None = field(default_factory=lambda: _load())
    preemptions: int | None = field(default_factory=lambda: _preemptions())


def _conditions_since(before: _Snapshot) -> Conditions:
    after = _Snapshot()
    steal = preempted = None
    if before.ticks is not None and after.ticks is not None:
        total = after.ticks[1] - before.ticks[1]
        steal = (after.ticks[0] - before.ticks[0]) / total if total > 0 else 0.0
    if before.preemptions is not None and after.preemptions is not None:
        preempted = after.preemptions - before.preemptions
    return Conditions(after.seconds - before.seconds, steal, before.load, after.load, preempted)


def _steal_and_total() -> tuple[int, int] | None:
    """Clock ticks stolen by the hypervisor, and all ticks, over all CPUs (Linux)."""
    try:
        with open("/proc/stat", encoding="ascii") as stat:
            ticks = [int(word) for word in stat.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else None


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _preemptions() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
