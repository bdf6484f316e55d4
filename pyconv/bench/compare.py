"""What changed from one result to another, beyond noise.

The median of n rounds lies between the r-th smallest and the r-th largest of them with a probability that
holds for every distribution, since the number of rounds below the true median is binomial with p = 1/2 (David,
Nagaraja, "Order Statistics", 3rd ed., section 7.1). Timings have heavy tails to one side, so no interval that
takes them for normal would do, and a bootstrap of the median of ten rounds is not to be trusted either.

Within a pass only: rounds of one pass share its clock, its neighbours and its buffers, so they agree with each
other more than passes do. The interval of a case is therefore the hull of its passes' intervals: a difference is
called only where every pass of the one lies beyond every pass of the other. The ratio of two medians lies between
the quotients of opposite ends, with the confidence of both ends together (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, exp, inf, log
from typing import Any

from .result import Case, Result

CONFIDENCE = 0.99
_ALIKE = ("cpu", "isa", "threads", "cpus", "usable_cpus", "compiler", "python")
_CLOCK, _PEAK, _STEAL = 0.02, 0.03, 0.01

FASTER, SLOWER, SAME, UNKNOWN = "faster", "slower", "no difference", "too few rounds"


@dataclass(frozen=True)
class Interval:
    """Where a median lies."""

    low: float
    high: float

    def hull(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))


def of_median(samples: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The narrowest pair of order statistics, as far from the one end as from the other, that holds the median
    with this confidence; (0, inf) where there are too few samples.

    >>> of_median([5, 1, 4, 2, 3, 6, 8, 7, 9, 10], 0.97)
    Interval(low=2, high=9)
    >>> of_median([1, 2, 3])
    Interval(low=0.0, high=inf)
    """
    n, below, rank = len(samples), 0.0, 0
    while rank <= n // 2:
        below += comb(n, rank) * 0.5**n
        if 2 * below > 1 - confidence:
            break
        rank += 1
    if rank == 0:
        return Interval(0.0, inf)
    ordered = sorted(samples)
    return Interval(ordered[rank - 1], ordered[n - rank])


def interval(case: Case, confidence: float = CONFIDENCE, *, per_cycle: bool = False) -> Interval:
    """The hull of the passes; with `per_cycle` of time multiplied by the FMA peak of the pass."""
    scales = case.peaks if per_cycle and len(case.peaks) == len(case.passes) else [1.0] * len(case.passes)
    found = None
    for samples, scale in zip(case.passes, scales):
        here = of_median([scale * seconds for seconds in samples], confidence)
        found = here if found is None else found.hull(here)
    return found or Interval(0.0, inf)


@dataclass(frozen=True)
class Change:
    """A case of both results. `ratio` is the new median over the old one, and lies within `low` to `high`."""

    name: str
    engine: str
    old: float
    new: float
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        if self.high == inf:
            return UNKNOWN
        return SLOWER if self.low > 1 else FASTER if self.high < 1 else SAME

    def beyond(self, tolerance: float) -> bool:
        """Whether it is slower by more than this share, and noise does not explain it."""
        return self.verdict == SLOWER and self.low > 1 + tolerance

    def as_dict(self) -> dict[str, object]:
        ends = None if self.verdict == UNKNOWN else [self.low, self.high]
        return {"name": self.name, "engine": self.engine, "old_s": self.old, "new_s": self.new,
                "ratio": self.ratio, "interval": ends, "verdict": self.verdict}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """All cases that both results have, what stands against comparing them, and cases that one of them lacks."""

    changes: Sequence[Change]
    warnings: Sequence[str]
    only_old: Sequence[str]
    only_new: Sequence[str]

    def of(self, verdict: str) -> list[Change]:
        """Those with this verdict, the largest change first."""
        found = [change for change in self.changes if change.verdict == verdict]
        return sorted(found, key=lambda change: -abs(log(change.ratio)))

    @property
    def mean(self) -> Change | None:
        """The geometric mean of our own cases, and of the ends of their intervals."""
        known = [c for c in self.changes if c.verdict != UNKNOWN and c.engine == "pyconv"]
        if not known:
            return None
        old, new, ratio, low, high = (
            exp(sum(log(getattr(c, key)) for c in known) / len(known))
            for key in ("old", "new", "ratio", "low", "high")
        )
        return Change(f"geometric mean of {len(known)}", "pyconv", old, new, ratio, low, high)

    def as_dict(self) -> dict[str, object]:
        return {
            "warnings": list(self.warnings),
            "changes": [change.as_dict() for change in self.changes],
            "mean": self.mean and self.mean.as_dict(),
            "only_old": list(self.only_old),
            "only_new": list(self.only_new),
        }


def compare(
    old: Result, new: Result, *, confidence: float = CONFIDENCE, per_cycle: bool = False
) -> Comparison:
    """Case by case, by name and engine. With `per_cycle` times are multiplied by the FMA peak of their own
    passes, so that a clock that differs cancels out for what is bound by arithmetic."""
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence: expected 0.5 to less than 1, got {confidence:g}")
    before, after = ({case.key: case for case in result.cases} for result in (old, new))
    changes = [
        change_of(before[key], after[key], confidence, per_cycle=per_cycle) for key in before if key in after
    ]
    return Comparison(
        changes,
        _warnings(old.environment, new.environment, per_cycle=per_cycle),
        [" ".join(key) for key in before if key not in after],
        [" ".join(key) for key in after if key not in before],
    )


def change_of(old: Case, new: Case, confidence: float = CONFIDENCE, *, per_cycle: bool = False) -> Change:
    first = interval(old, confidence, per_cycle=per_cycle)
    second = interval(new, confidence, per_cycle=per_cycle)
    ratio = new.median / old.median
    if per_cycle and old.peaks and new.peaks:
        ratio *= _mean(new.peaks) / _mean(old.peaks)
    unknown = first.high == inf or second.high == inf
    low, high = (0.0, inf) if unknown else (second.low / first.high, second.high / first.low)
    return Change(old.name, old.engine, old.median, new.median, ratio, low, high)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _warnings(old: Mapping[str, Any], new: Mapping[str, Any], *, per_cycle: bool) -> list[str]:
    found = [
        f"{key} differs: {old.get(key)} and {new.get(key)}" for key in _ALIKE if old.get(key) != new.get(key)
    ]
    clocks = [(env.get("clock_ghz") or {}).get("median") for env in (old, new)]
    found += _apart("clock", "GHz", clocks, _CLOCK)
    if not per_cycle:
        peaks = [env.get("peak_gflops") for env in (old, new)]
        found += _apart("FMA peak", "GFLOP/s (--per-cycle sets times in proportion)", peaks, _PEAK)
    for which, env in (("old", old), ("new", new)):
        if (env.get("steal_share") or 0) > _STEAL:
            found.append(f"{which}: the hypervisor took {100 * env['steal_share']:.0f} % of the time")
        if (env.get("load_before") or 0) > (env.get("cpus") or inf):
            found.append(f"{which}: a load of {env['load_before']:.1f} on {env['cpus']} CPUs when it began")
        if str(env.get("commit", "")).endswith("+"):
            found.append(f"{which}: the source tree of {env['commit']} had changes that are not committed")
    return found


def _apart(what: str, unit: str, values: Sequence[float | None], most: float) -> list[str]:
    first, second = values
    if not first or not second or abs(log(second / first)) <= most:
        return []
    return [f"{what} differs: {first:.3g} and {second:.3g} {unit}"]
