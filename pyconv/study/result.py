"""What the study found: rows of figures, each derived from counts, times and the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyconv.study.cost import Cost, total
from pyconv.study.machine import Roofline
from pyconv.study.timing import Conditions, Timing

NORMAL = "normal"


@dataclass(frozen=True)
class Step:
    """One convolution of a contender: what it is and who computes it."""

    problem: str
    algorithm: str
    kernels: Sequence[str]
    cost: Cost

    def as_dict(self) -> dict[str, object]:
        return {
            "problem": self.problem,
            "algorithm": self.algorithm,
            "kernels": list(self.kernels),
            **self.cost.as_dict(),
        }


@dataclass(frozen=True)
class Row:
    """One contender, checked and timed. FLOPs are those of its definition, whatever its algorithm
    does: a transform may pass the machine's peak."""

    name: str
    steps: Sequence[Step]
    timing: Timing
    error: float

    @property
    def cost(self) -> Cost:
        return total(step.cost for step in self.steps)

    @property
    def seconds(self) -> float:
        """The best round: what other work on the machine disturbs least."""
        return self.timing.minimum

    @property
    def gflops(self) -> float:
        return self.cost.flops / self.seconds * 1e-9

    @property
    def algorithm(self) -> str:
        return " + ".join(step.algorithm for step in self.steps)

    def bound_seconds(self, roofline: Roofline) -> float:
        """The least time that the roofline allows, step after step."""
        return sum(roofline.bound_seconds(step.cost.flops, step.cost.bytes) for step in self.steps)

    def roofline_share(self, roofline: Roofline) -> float:
        return self.bound_seconds(roofline) / self.seconds

    def limits(self, roofline: Roofline) -> str:
        """What bounds each step: "compute" or a level of memory; once where all agree."""
        found = [roofline.limit(step.cost.flops, step.cost.bytes) for step in self.steps]
        return " + ".join(dict.fromkeys(found))


@dataclass(frozen=True)
class Saving:
    """A contender against the normal convolution."""

    macs: float
    time: float

    @property
    def kept(self) -> float:
        """How much of the FLOP saving became a time saving: 1 when the time fell as the FLOPs did."""
        return self.time / self.macs


@dataclass(frozen=True)
class Study:
    """All rows, the first of which is the normal convolution by its best algorithm."""

    rows: Sequence[Row]
    roofline: Roofline
    conditions: Conditions
    settings: Mapping[str, object] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(row.name == name for row in self.rows)

    @property
    def normal(self) -> Row:
        return self[NORMAL]

    def saving(self, row: Row) -> Saving:
        """MACs and time of the normal convolution over those of `row`."""
        normal = self.normal
        return Saving(normal.cost.macs / row.cost.macs, normal.seconds / row.seconds)

    @property
    def spread(self) -> float:
        """The widest spread of a row: a large one says that other work ran meanwhile."""
        return max(row.timing.spread for row in self.rows)

    def as_dict(self) -> dict[str, object]:
        return {
            "settings": dict(self.settings),
            "roofline": self.roofline.as_dict(),
            "conditions": self.conditions.as_dict(),
            "rows": [self._row_dict(row) for row in self.rows],
        }

    def _row_dict(self, row: Row) -> dict[str, object]:
        saving = self.saving(row)
        return {
            "name": row.name,
            **row.cost.as_dict(),
            **row.timing.as_dict(),
            "gflop_per_s": row.gflops,
            "bound_s": row.bound_seconds(self.roofline),
            "roofline_share": row.roofline_share(self.roofline),
            "limit": row.limits(self.roofline),
            "mac_saving": saving.macs,
            "time_saving": saving.time,
            "saving_kept": saving.kept,
            "max_error_over_max_output": row.error,
            "steps": [step.as_dict() for step in row.steps],
        }
