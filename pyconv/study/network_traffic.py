"""Which bytes a step of a network moves, and from which level of memory each is likely to come.

The estimate is that of a least-recently-used cache: between two uses of the same addresses, everything that
the steps in between touch passes through the caches, and the nearest level that holds all of it still has
them (Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal
9(2), 1970). Of the last cache, which others share, half is counted. Runs follow one another, so the steps
before the first are the last ones of the run before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyconv.study.machine import Roofline

SOURCE, DESTINATION, WEIGHTS, WORKSPACE = "source", "destination", "weights", "workspace"
ARENA = "arena"
HOLDS = {"L1": 1.0, "L2": 1.0, "L3": 0.5}
"""What a cache holds for one process, as a share of its capacity."""
_RATE = {SOURCE: "read", WEIGHTS: "read", DESTINATION: "copy"}


@dataclass(frozen=True)
class Traffic:
    """One operand of a step, moved once. ``distance`` is the bytes touched since its last use."""

    kind: str
    name: str
    bytes: int
    level: str
    distance: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


@dataclass(frozen=True)
class Range:
    """Addresses that a step touches: `offset` counts within `space`."""

    kind: str
    name: str
    space: str
    offset: int
    bytes: int

    def overlaps(self, other: Range) -> bool:
        """Whether they share an address.

        >>> Range("source", "x", "arena", 0, 64).overlaps(Range("source", "y", "arena", 63, 64))
        True
        """
        apart = self.offset + self.bytes <= other.offset or other.offset + other.bytes <= self.offset
        return self.space == other.space and not apart


def ranges_of(step: Mapping[str, Any]) -> list[Range]:
    """What a step of `Model.describe` touches; constants and packed weights belong to it alone. A slice
    touches no more of its source than it takes."""
    found = []
    constants = int(step["packed_bytes"])
    for tensor in step["inputs"]:
        if tensor is None:
            continue
        if tensor["space"] == "constant":
            constants += tensor["bytes"]
        else:
            found.append(
                _range(SOURCE, tensor, most=step["outputs"][0]["bytes"] if step["op"] == "slice" else None)
            )
    found += [_range(DESTINATION, tensor) for tensor in step["outputs"]]
    if constants:
        found.append(Range(WEIGHTS, "weights", f"weights of {step['name']}", 0, constants))
    if step["workspace_bytes"]:
        found.append(Range(WORKSPACE, "workspace", ARENA, step["workspace_offset"], step["workspace_bytes"]))
    return found


def _range(kind: str, tensor: Mapping[str, Any], most: int | None = None) -> Range:
    space = tensor["space"]
    where = space if space == ARENA else f"{space} {tensor['name']}"
    return Range(kind, tensor["name"], where, tensor["offset"], min(tensor["bytes"], most or tensor["bytes"]))


def distances(steps: Sequence[Sequence[Range]]) -> list[list[int]]:
    """For every range of every step, the bytes touched since its last use, at least its own.

    A step that goes through its operands from front to back meets the middle of each half way, so of the two
    steps that use a range half counts, and of those in between all.
    """
    extent = max((r.offset + r.bytes for ranges in steps for r in ranges if r.space == ARENA), default=0)
    own = [_Touched.by(ranges) for ranges in steps]
    return [
        [max(r.bytes, _touched(r, i, steps, own).bytes(extent)) for r in ranges]
        for i, ranges in enumerate(steps)
    ]


@dataclass(frozen=True)
class _Touched:
    """Bytes that steps touch, those of the arena apart: it is used over and over."""

    arena: int = 0
    others: int = 0

    @staticmethod
    def by(ranges: Sequence[Range]) -> _Touched:
        arena = sum(r.bytes for r in ranges if r.space == ARENA)
        return _Touched(arena, sum(r.bytes for r in ranges) - arena)

    def __add__(self, other: _Touched) -> _Touched:
        return _Touched(self.arena + other.arena, self.others + other.others)

    def half(self) -> _Touched:
        return _Touched(self.arena // 2, self.others // 2)

    def bytes(self, extent: int) -> int:
        """Of an arena of `extent` bytes."""
        return min(self.arena, extent) + self.others


def _touched(r: Range, step: int, steps: Sequence[Sequence[Range]], own: Sequence[_Touched]) -> _Touched:
    between = _Touched()
    for back in range(1, len(steps) + 1):
        earlier = (step - back) % len(steps)
        if any(r.overlaps(other) for other in steps[earlier]):
            return between + (own[earlier] + own[step]).half()
        between += own[earlier]
    return between


def level_of(distance: int, roofline: Roofline) -> str:
    """The nearest level that still has what was used so many bytes ago."""
    for level, share in HOLDS.items():
        if distance <= share * roofline.capacity[level]:
            return level
    return "DRAM"


def traffic(steps: Sequence[Mapping[str, Any]], roofline: Roofline) -> list[tuple[Traffic, ...]]:
    """The operands of each step with the level that each comes from or goes to, and the seconds that moving it
    once takes at that level's bandwidth, of which each thread has its share.

    The workspace is counted among what passes through the caches, and not as traffic: how often it is read and
    written is the algorithm's affair.
    """
    ranges = [ranges_of(step) for step in steps]
    found = []
    for step, row, reach in zip(steps, ranges, distances(ranges)):
        alone = roofline.threads / step["threads"]
        operands = []
        for r, distance in zip(row, reach):
            if r.kind == WORKSPACE:
                continue
            level = level_of(distance, roofline)
            seconds = alone * r.bytes / roofline.bandwidth(level, _RATE[r.kind]) * 1e-9
            operands.append(Traffic(r.kind, r.name, r.bytes, level, distance, seconds))
        found.append(tuple(operands))
    return found
