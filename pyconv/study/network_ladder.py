"""One layer of a network by everything from pure Python loops to Winograd, each rung checked, then timed.

The lower rungs are `pyconv.study.rungs`; the upper ones are the engine's algorithms, forced by name and capped
to an instruction set, with weights packed beforehand. All of it runs on one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv import _core
from pyconv.study import rungs, timing
from pyconv.study.ladder import output_shape
from pyconv.study.reference import conv2d, relative_error

WHY = {
    "reference": "Back to the textbook loops, in C++: one chain of fused multiply-adds per output.",
    "scalar": "Tiles of sums, but for CPUs of any age: each fused multiply-add is emulated to the bit.",
    "avx2": "Tiles of sums in registers, vectors of 8, one instruction multiplies and adds.",
    "avx512": "Vectors of 16, and 32 registers instead of 16.",
    "neon": "Vectors of 4, 32 registers, and one instruction multiplies and adds.",
    "im2col": "The same products as one matrix product: long loops, for the price of copying each window.",
    "implicit_gemm": "The matrix product reads the image in place through pointers: no copy.",
    "winograd_f2": "Transforms tiles: {} multiplications for 2 x 2 outputs where the taps take {}.",
    "winograd_f4": "Larger tiles: {} multiplications for 4 x 4 outputs where the taps take {}.",
    "winograd_f6": "The largest tiles: {} multiplications for 6 x 6 outputs where the taps take {}.",
}
"""What makes an algorithm, or an instruction set, faster than the rung below."""
TOLERANCE = 1e-4
"""Of the largest output; transforms come nearest to it."""
_SLOW = ("python loops", "cython, untyped", "numpy, window by window")
_PIECE_MACS = 200_000
_MOST_MACS = 600_000_000
_BLAS = "numpy, im2col + BLAS"

Array = NDArray[np.float32]


class WrongResult(RuntimeError):
    """A rung did not give what float64 gives."""


@dataclass(frozen=True)
class Rung:
    """Seconds for the whole layer; `share` is the part of its MACs that was run."""

    name: str
    why: str
    seconds: float
    share: float

    def as_dict(self) -> dict[str, object]:
        return dict(vars(self))


def layer_of(steps: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The step to climb with: the dense square convolution of one image with the most MACs, of stride 1
    where there is one; None where there is none."""
    fit = [step for step in steps if step["problem"] and _fits(pyconv.Conv2dProblem(step["problem"]))]
    return max(fit, key=lambda s: (pyconv.Conv2dProblem(s["problem"]).sh == 1, s["macs"]), default=None)


def _fits(p: pyconv.Conv2dProblem) -> bool:
    square = p.sh == p.sw and p.pt == p.pb == p.pl == p.pr and p.kh == p.kw > 1 and p.dh == p.dw == 1
    return square and p.g == 1 and p.mb == 1 and 0 < p.macs <= _MOST_MACS


def climb(problem: str, *, seconds: float = 3.0) -> list[Rung]:
    """Every rung of a problem that `layer_of` would name. Raises WrongResult.

    >>> found = climb("ic4oc4_ih6kh3ph1", seconds=0.05)
    >>> found[0].name, found[0].share, any("winograd" in rung.name for rung in found)
    ('python loops', 1.0, True)
    """
    p = pyconv.Conv2dProblem(problem)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, p.ih, p.iw, p.ic), np.float32)
    weight = rng.standard_normal((p.oc, p.ic, p.kh, p.kw), np.float32)
    cases: dict[str, tuple[str, float, Callable[[], Array]]] = {}
    for rung in rungs.RUNGS:
        if rung.name == _BLAS and not _one_blas_thread():
            continue
        piece, padding = _piece(p, x) if rung.name in _SLOW else (x, p.pt)
        run = partial(rung.run, piece, weight, p.sh, padding)
        _check(rung.name, run(), piece, weight, p.sh, padding)
        out = output_shape(piece, weight, p.sh, padding)
        cases[rung.name] = rung.why, out[1] * out[2] / (p.oh * p.ow), run
    for name, why, plan in _plans(p, weight):
        y = np.empty((1, p.oh, p.ow, p.oc), np.float32)
        _check(name, plan(x, out=y), x, weight, p.sh, p.pt)
        cases[name] = why, 1.0, partial(plan, x, out=y)
    measured = timing.measure(
        {name: run for name, (_, _, run) in cases.items()},
        rounds=15, sample_seconds=0.002, budget_seconds=seconds,
    )  # fmt: skip
    return [Rung(n, why, measured[n].minimum / share, share) for n, (why, share, _) in cases.items()]


def _piece(p: pyconv.Conv2dProblem, x: Array) -> tuple[Array, int]:
    """What some outputs of a row see, and their padding: none; the whole of a small layer."""
    if p.macs <= _PIECE_MACS:
        return x, p.pt
    outputs = min(max(1, _PIECE_MACS // (p.oc * p.ic * p.kh * p.kw)), (p.iw - p.kw) // p.sw + 1)
    return np.ascontiguousarray(x[:, : p.kh, : p.kw + (outputs - 1) * p.sw]), 0


def _check(name: str, got: Array, x: Array, weight: Array, stride: int, padding: int) -> None:
    want = conv2d(x, weight, stride=(stride, stride), padding=(padding,) * 4)
    error = relative_error(got, want)
    if not error <= TOLERANCE:
        raise WrongResult(f"{name}: expected float64's result within {TOLERANCE:.0e}, got {error:.1e}")


def _plans(p: pyconv.Conv2dProblem, weight: Array) -> list[tuple[str, str, pyconv.Conv2dPlan]]:
    """(name, why, plan) of the engine's rungs; those that refuse the problem are left out."""
    isas = _core.probe_isas()
    vectors = isas[1 : isas.index(_core.config()["max_isa"]) + 1]
    wanted: list[tuple[str, str | None, str]] = [
        ("reference", None, "reference"),
        ("direct", "scalar", "scalar"),
    ]
    wanted += [("direct", isa, isa) for isa in vectors]
    wanted += [
        (name, None, name) for name in ("im2col", "implicit_gemm", *(n for n in WHY if "winograd" in n))
    ]
    found = []
    for algorithm, isa, why in wanted:
        try:
            plan = pyconv.Conv2dPlan(p, weight, algorithm=algorithm, layout="nhwc", threads=1, max_isa=isa)
        except ValueError:
            continue
        m = int(algorithm[-1]) if "winograd" in algorithm else 0
        words = WHY[why].format((p.sh * (m - 1) + p.kh) ** 2, m * m * p.kh * p.kw)
        found.append((f"pyconv {algorithm}" + (f", {isa}" if isa else ""), words, plan))
    return found


def _one_blas_thread() -> bool:
    """Whether NumPy's matrix product may be held against code of one thread."""
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return True
    return len(os.sched_getaffinity(0)) == 1 if hasattr(os, "sched_getaffinity") else os.cpu_count() == 1
