"""Shape files, their goals, and operands for one convolution problem."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pyconv

Array = NDArray[np.float32]
Problem = pyconv.Conv2dProblem


def aligned(shape: tuple[int, ...]) -> Array:
    """A touched array that starts at a cache line, as every engine's own buffers do; numpy's start 16
    bytes past one."""
    count = prod(shape)
    raw = np.zeros(count + 16, np.float32)
    first = -raw.ctypes.data % 64 // 4
    array = raw[first : first + count].reshape(shape)
    array.fill(0)
    return array


def operands(p: Problem, seed: int = 0) -> tuple[Array, Array, Array]:
    """Random (src NCHW, weights OIHW, bias), roughly of unit variance."""
    rng = np.random.default_rng(seed)
    src = rng.standard_normal((p.mb, p.ic, p.ih, p.iw), dtype=np.float32)
    weights = rng.standard_normal((p.oc, p.ic // p.g, p.kh, p.kw), dtype=np.float32)
    weights /= np.float32(np.sqrt(max(1, weights[0].size)))
    bias = rng.standard_normal(p.oc, dtype=np.float32)
    return src, weights, bias


@dataclass(frozen=True)
class Goal:
    """`figure` shall be at least (or, with `<=`, at most) `wanted`."""

    figure: str
    relation: str
    wanted: float

    @classmethod
    def parse(cls, word: str) -> Goal | None:
        found = re.fullmatch(r"([a-z]+)(>=|<=)([0-9.e-]+)", word)
        return cls(found[1], found[2], float(found[3])) if found else None

    def reached(self, value: float) -> bool:
        return value >= self.wanted if self.relation == ">=" else value <= self.wanted

    def __str__(self) -> str:
        return f"{self.figure} {self.relation} {self.wanted:g}"


@dataclass(frozen=True)
class Shape:
    """One line of a shape file."""

    problem: Problem
    text: str
    name: str
    count: int
    goals: tuple[Goal, ...]


@dataclass(frozen=True)
class ShapeFile:
    name: str
    shapes: tuple[Shape, ...]
    isa: str | None
    sum_goals: tuple[Goal, ...]


SHAPES = Path(__file__).parent / "shapes"


def shape_file_names() -> list[str]:
    return sorted(path.stem for path in SHAPES.glob("*.txt"))


def read_shapes(name: str) -> ShapeFile:
    """Reads benchmarks/shapes/<name>.txt; shapes/README.md describes the words."""
    path = SHAPES / f"{name}.txt"
    if not path.exists():
        raise ValueError(f"shapes: expected one of {', '.join(shape_file_names())}, got {name!r}")
    shapes: list[Shape] = []
    isa: str | None = None
    sum_goals: tuple[Goal, ...] = ()
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "isa":
            isa = words[1]
        elif words[0] == "sum":
            sum_goals = _goals(words[1:])
        else:
            shapes.append(_shape(words))
    return ShapeFile(name, tuple(shapes), isa, sum_goals)


def _shape(words: list[str]) -> Shape:
    counts = [int(word[1:]) for word in words[2:] if re.fullmatch(r"x\d+", word)]
    goals = _goals([word for word in words[2:] if not re.fullmatch(r"x\d+", word)])
    return Shape(Problem(words[0]), words[0], words[1], counts[0] if counts else 1, goals)


def _goals(words: list[str]) -> tuple[Goal, ...]:
    goals = []
    for word in words:
        goal = Goal.parse(word)
        if goal is None:
            raise ValueError(f"shapes: expected a goal like peak>=0.95, got {word!r}")
        goals.append(goal)
    return tuple(goals)
