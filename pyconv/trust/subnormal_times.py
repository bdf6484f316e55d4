"""How much slower subnormal inputs are than normal ones, by instruction set, algorithm and function.

Many CPUs take an assist of a hundred cycles or more for an operation on subnormals; some have none. Both inputs are
timed in turn in the same place, and the least times compared. Timings are figures: no promise is broken by one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import pyconv
from pyconv import _core
from pyconv.trust.compare import Floats
from pyconv.trust.problem_checks import ISAS
from pyconv.trust.work import Work

PROBLEMS = ("ic16oc32_ih14kh3ph1", "ic64oc64_ih14kh1", "g32ic32oc32_ih28kh3ph1", "g4ic32oc32_ih14kh3ph1")
ROUNDS = 9
SIZE = 4096
HALF = np.array([0.5], np.float32)
_SMALL = np.float32(2.0**-140)

Run = Callable[[Floats], Any]


def cases() -> Iterator[tuple[str, tuple[int, ...], Run]]:
    """What is timed, the shape of its input, and how it is called."""
    for isa in ISAS:
        for problem in PROBLEMS:
            p = pyconv.Conv2dProblem(problem)
            weight = np.full((p.oc, p.ic // p.g, p.kh, p.kw), 0.75, np.float32)
            for name, accepted, *_ in _core.algorithms(p, None, None, "fast", "nhwc", 1, isa, None, 0.0):
                if accepted:
                    plan = pyconv.Conv2dPlan(p, weight, algorithm=name, layout="nhwc", threads=1, max_isa=isa)
                    yield f"{problem} {name} {isa}", (p.mb, p.ih, p.iw, p.ic), plan
        for kernel in pyconv.kernels():
            if kernel.available and kernel.family == "eltwise" and kernel.isa == isa:
                yield kernel.name, (SIZE,), partial(_elementwise, kernel.name, np.empty(SIZE, np.float32))


def _elementwise(row: str, out: Floats, x: Floats) -> None:
    _core.eltwise_kernel(row, x, HALF, HALF, out)


def ratio(shape: tuple[int, ...], run: Run) -> float:
    """Least time on subnormals over least time on normal numbers."""
    normal = np.full(shape, 1.25, np.float32)
    inputs, least = (normal, normal * _SMALL), [np.inf, np.inf]
    x = normal.copy()  # where it lies makes a difference, too
    started = time.perf_counter()
    run(x)
    repeats = max(1, min(200, int(2e-4 / max(1e-7, time.perf_counter() - started))))
    for _ in range(ROUNDS):
        for at, numbers in enumerate(inputs):
            np.copyto(x, numbers)
            run(x)
            started = time.perf_counter()
            for _ in range(repeats):
                run(x)
            least[at] = min(least[at], time.perf_counter() - started)
    return least[1] / least[0]


def run(work: Work) -> None:
    """As many as there is time for; the largest ratios, and whose they are."""
    made = list(cases())
    ratios: dict[str, list[float]] = {"convolutions": [], "elementwise": []}
    for index in work.cases(len(made)):
        name, shape, call = made[index]
        kind = "convolutions" if len(shape) == 4 else "elementwise"
        ratios[kind].append(ratio(shape, call))
        work.figures[f"{kind} timed"] = len(ratios[kind])
        if ratios[kind][-1] == max(ratios[kind]):
            work.figures[f"largest ratio of {kind}"] = f"{ratios[kind][-1]:.2f} ({name})"
