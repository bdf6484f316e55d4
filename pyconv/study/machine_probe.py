"""Everything that `pyconv probe` measures of this machine: its roofline, the FMA peak of every instruction set
and number of threads, how steady the clock is, what a page costs that is touched first, and how much of its time
others take. About two seconds, kept as the roofline is.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pyconv import _core
from pyconv.study import machine
from pyconv.study.machine import Roofline
from pyconv.study.timing import watch

_FORMAT = 1
_PEAK_SECONDS = 0.02
_CLOCK_SECONDS = 0.003
_FAULT_BYTES = 8 << 20
_FAULT_ROUNDS = 5


@dataclass(frozen=True)
class Clock:
    """GHz of short looks spread over a measurement: the median, and the tenth and ninetieth percentile, since a
    look that the system interrupted shows no clock.

    >>> Clock.of([3.0, 3.1, 3.2]).median
    3.1
    """

    low: float
    median: float
    high: float

    @staticmethod
    def of(samples: Sequence[float]) -> Clock:
        low, middle, high = np.percentile(samples, [10, 50, 90])
        return Clock(float(low), float(middle), float(high))

    @property
    def spread(self) -> float:
        """From the low to the high, as a share of the median."""
        return (self.high - self.low) / self.median


def clock_now(seconds: float = _CLOCK_SECONDS) -> float:
    """GHz of one look: the best of its slices, as the others were interrupted."""
    return max(_core.probe_clock(seconds))


@dataclass(frozen=True)
class Probe:
    """`peaks[isa]` are GFLOP/s by number of threads; `page_fault_s` is of one page of `page_bytes`; shares and
    loads are None where the system does not tell."""

    roofline: Roofline
    peaks: Mapping[str, Mapping[int, float]]
    clock: Clock
    page_fault_s: float | None
    page_bytes: int
    steal_share: float | None
    load: float | None
    seconds: float

    def as_dict(self) -> dict[str, object]:
        return {**self.roofline.as_dict(), **{key: value for key, value in vars(self).items() if key != "roofline"},
                "clock": asdict(self.clock)}  # fmt: skip


def steps(isa: str | None = None) -> int:
    """How many measurements `probe` tells of."""
    return machine.STEPS + len(_core.probe_isas()) * len(thread_counts()) + 1


def probe(
    isa: str | None = None,
    *,
    threads: int = 1,
    refresh: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> Probe:
    """The machine for so many threads and code of `isa`, from the cache where it is there."""
    chosen = machine.known_isa(isa)
    path = machine.cache_file(chosen, threads, "probe")
    if not refresh and (kept := _load(machine.load_json(path, _FORMAT))) is not None:
        return kept
    found = _measure(chosen, threads, on_step or (lambda _: None))
    machine.store_json(path, {"format": _FORMAT, **found.as_dict()})
    return found


def thread_counts() -> list[int]:
    """Powers of two up to the CPUs of this process, and all of them."""
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return sorted({cpus, *(1 << i for i in range(cpus.bit_length()) if 1 << i <= cpus)})


def page_fault_seconds(size: int = _FAULT_BYTES) -> float | None:
    """What the first touch of a small page costs beyond a later one; None where memory can't be mapped so.

    Of several mappings the quickest, since whatever else runs only adds to it.
    """
    best = None
    for _ in range(_FAULT_ROUNDS):
        try:
            with mmap.mmap(-1, size) as memory:
                if hasattr(mmap, "MADV_NOHUGEPAGE"):
                    memory.madvise(mmap.MADV_NOHUGEPAGE)
                first, again = (_touch(memory) for _ in range(2))
        except (OSError, ValueError):
            return None
        cost = max(0.0, first - again) / (size // mmap.PAGESIZE)
        best = cost if best is None else min(best, cost)
    return best


def _touch(memory: mmap.mmap) -> float:
    bytes_ = np.frombuffer(memory, np.uint8)
    started = time.perf_counter()
    bytes_[:: mmap.PAGESIZE] = 1
    return time.perf_counter() - started


def _measure(isa: str, threads: int, say: Callable[[str], None]) -> Probe:
    clock: list[float] = []

    def told(text: str) -> None:
        say(text)
        clock.append(clock_now())

    with watch() as conditions:
        roofline = machine.roofline(isa, threads=threads, refresh=True, on_step=told)
        peaks: dict[str, dict[int, float]] = {}
        for name in _core.probe_isas():
            for count in thread_counts():
                told(f"FMA peak of {name}, {count} thread{'s' * (count > 1)}")
                peak = machine.fma_peak(name, threads=count, seconds=_PEAK_SECONDS)
                peaks.setdefault(name, {})[count] = peak
        told("page faults")
        fault = page_fault_seconds()
    seen = conditions()
    return Probe(
        roofline,
        peaks,
        Clock.of(clock),
        fault,
        mmap.PAGESIZE,
        seen.steal_share,
        seen.load_before,
        seen.seconds,
    )


def _load(kept: dict[str, Any] | None) -> Probe | None:
    if kept is None:
        return None
    try:
        own = {key: kept.pop(key) for key in Probe.__dataclass_fields__ if key != "roofline"}
        own["peaks"] = {
            isa: {int(count): float(peak) for count, peak in by_threads.items()}
            for isa, by_threads in own["peaks"].items()
        }
        own["clock"] = Clock(**own["clock"])
        return Probe(Roofline(**kept), **own)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
