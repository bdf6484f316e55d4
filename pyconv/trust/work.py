"""What a promise's function is given: its seed, its time, and where its figures go."""

from __future__ import annotations

import json
import mmap
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

_EVERY = 0.2  # seconds between two lines of progress


class Skipped(Exception):
    """The promise can't be shown here; the text says what is missing."""


class Work:
    """A share of the time. `cases` counts up until the time or `limit` is used up; the number of the case that
    runs stands in a file of eight bytes, where it can be read after a crash."""

    def __init__(
        self, seed: int, seconds: float, *, limit: int | None = None, only: int | None = None,
        slot: mmap.mmap | None = None,
    ) -> None:  # fmt: skip
        self.seed, self.seconds, self.only = seed, seconds, only
        self.figures: dict[str, Any] = {}
        self._limit, self._slot, self._stream = limit, slot, sys.stdout if slot is not None else None
        self._started = time.monotonic()
        self._said = 0.0

    @property
    def left(self) -> float:
        """Seconds."""
        return self._started + self.seconds - time.monotonic()

    def cases(self, most: int | None = None) -> Iterator[int]:
        """Numbers of cases, at least one; at most `most` (all there are)."""
        if self.only is not None:
            self.at(self.only)
            yield self.only
            return
        limits = [n for n in (most, self._limit) if n is not None]
        index = 0
        while index == 0 or (self.left > 0 and index < min(limits, default=index + 1)):
            done = max(1 - self.left / self.seconds, index / min(limits) if limits else 0.0)
            self.at(index, done)
            yield index
            index += 1

    def at(self, index: int, done: float = 0.0) -> None:
        """Case `index` begins; `done` of the work is behind."""
        if self._slot is not None:
            struct.pack_into("<q", self._slot, 0, index)
        now = time.monotonic()
        if self._stream is not None and now - self._said >= _EVERY:
            self._said = now
            self.say(progress=min(1.0, done), figures=self.figures)

    def say(self, **line: Any) -> None:
        """A line of JSON to the parent."""
        if self._stream is not None:
            print(json.dumps(line), file=self._stream, flush=True)

    def count(self, name: str, by: int = 1) -> None:
        self.figures[name] = self.figures.get(name, 0) + by

    def largest(self, name: str, value: float) -> None:
        self.figures[name] = max(self.figures.get(name, value), value)
