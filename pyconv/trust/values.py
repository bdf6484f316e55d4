"""Random choices and arrays that are the same on every machine: counters through an integer hash, no libm.

The hash is SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Floats = NDArray[np.float32]
Words = NDArray[np.uint64]

_STEP = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def _mixed(word: Any, shifts: tuple[Any, Any, Any], first: Any, second: Any) -> Any:
    a, b, c = shifts
    word = (word ^ (word >> a)) * first
    if isinstance(word, int):
        word &= _MASK
    word = (word ^ (word >> b)) * second
    if isinstance(word, int):
        word &= _MASK
    return word ^ (word >> c)


_INTS = ((30, 27, 31), 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_ARRAYS: Any = (tuple(np.uint64(s) for s in _INTS[0]), np.uint64(_INTS[1]), np.uint64(_INTS[2]))


def key(*parts: object) -> int:
    """64 bits that stand for these parts.

    >>> key("problems", 0, 7) == key("problems", 0, 7) != key("problems", 0, 8)
    True
    """
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")


class Draw:
    """Choices, one after the other.

    >>> draw = Draw(1)
    >>> [draw.below(10) for _ in range(5)]
    [7, 4, 4, 5, 2]
    """

    def __init__(self, *parts: object) -> None:
        self._state = key(*parts)

    def word(self) -> int:
        self._state = (self._state + _STEP) & _MASK
        return int(_mixed(self._state, *_INTS))

    def below(self, count: int) -> int:
        return self.word() % count

    def between(self, least: int, most: int) -> int:
        return least + self.below(most - least + 1)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == 0

    def _words(self, count: int) -> Words:
        counters = np.arange(1, count + 1, dtype=np.uint64)
        with np.errstate(over="ignore"):
            words: Words = _mixed(np.uint64(self.word()) + counters * np.uint64(_STEP), *_ARRAYS)
        return words

    def bits(self, *shape: int) -> NDArray[np.uint32]:
        """Any 32 bits."""
        words = self._words(math.prod(shape)) >> np.uint64(32)
        return np.asarray(words.astype(np.uint32).reshape(shape))

    def reals(self, *shape: int) -> Floats:
        """Numbers of either sign over eight binades around 1: every rounding of a sum of theirs shows."""
        words = self.bits(*shape)
        exponent = (np.uint32(123) + (words >> np.uint32(28) & np.uint32(7))) << np.uint32(23)
        return np.asarray((words & np.uint32(0x807FFFFF) | exponent).view(np.float32))

    def integers(self, *shape: int, limit: int = 4) -> Floats:
        """Whole numbers so small that every order of summation gives the same float."""
        found = self._words(math.prod(shape)) % np.uint64(2 * limit + 1)
        return np.asarray((found.astype(np.float32) - np.float32(limit)).reshape(shape))
