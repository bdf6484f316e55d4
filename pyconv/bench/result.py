"""What a suite measured, as data that `compare` reads: every round of every case, and what it holds for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

FORMAT = 1
OURS = "pyconv"


@dataclass(frozen=True)
class Case:
    """One thing timed: seconds of each round, for each of the passes that lay apart, and the FMA peak
    (GFLOP/s) that was seen in the rounds of each pass.

    >>> case = Case("pw", "pyconv", "pointwise", ((2.0, 1.0, 3.0),), (4.0,), macs=500_000_000)
    >>> case.median, case.gflops, case.of_peak
    (2.0, 1.0, 0.25)
    """

    name: str
    engine: str
    how: str
    passes: tuple[tuple[float, ...], ...]
    peaks: tuple[float, ...] = ()
    macs: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.engine

    @property
    def samples(self) -> tuple[float, ...]:
        return tuple(chain.from_iterable(self.passes))

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def minimum(self) -> float:
        return min(self.samples)

    @property
    def gflops(self) -> float | None:
        """Of the definition, in the best round."""
        return 2 * self.macs / self.minimum * 1e-9 if self.macs else None

    @property
    def of_peak(self) -> float | None:
        return self.gflops / max(self.peaks) if self.gflops is not None and self.peaks else None

    def and_then(self, later: Case) -> Case:
        """With the passes of a later measurement of the same case."""
        peaks = self.peaks + later.peaks
        return Case(self.name, self.engine, later.how, self.passes + later.passes, peaks, self.macs)

    def as_dict(self) -> dict[str, object]:
        return {**vars(self), "median_s": self.median, "min_s": self.minimum, "gflops": self.gflops,
                "of_peak": self.of_peak}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A suite on one machine. `environment` says what the figures hold for, `notes` what was left out."""

    suite: str
    environment: Mapping[str, Any]
    cases: Sequence[Case]
    notes: Sequence[str] = field(default=())

    def as_dict(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "suite": self.suite,
            "environment": dict(self.environment),
            "notes": list(self.notes),
            "cases": [case.as_dict() for case in self.cases],
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        Path(path).write_text(json.dumps(self.as_dict(), indent=1), encoding="utf-8")


def load(path: str | os.PathLike[str]) -> Result:
    """A result that was saved; ValueError says what is wrong with a file that is none."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected a result of `pyconv bench`, got no JSON ({error})") from error
    if not isinstance(document, dict) or "cases" not in document:
        raise ValueError(f"{path}: expected a result of `pyconv bench`, got JSON without cases")
    if document.get("format") != FORMAT:
        raise ValueError(f"{path}: expected format {FORMAT}, got {document.get('format')!r}")
    try:
        cases = tuple(_case(entry) for entry in document["cases"])
        return Result(document["suite"], dict(document["environment"]), cases, tuple(document["notes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: expected a result of `pyconv bench`, got a damaged one ({error})"
        ) from error


def _case(entry: Mapping[str, Any]) -> Case:
    passes = tuple(tuple(float(seconds) for seconds in samples) for samples in entry["passes"])
    if not passes or not all(passes) or not all(s > 0 for samples in passes for s in samples):
        raise ValueError(f"{entry['name']}: expected rounds of more than 0 s in every pass")
    peaks = tuple(float(peak) for peak in entry["peaks"])
    return Case(
        str(entry["name"]), str(entry["engine"]), str(entry["how"]), passes, peaks, int(entry["macs"])
    )
