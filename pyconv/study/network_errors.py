"""How far each algorithm's results lie from float64, on random operands of a layer's shape."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv.study.reference import relative_error

_SAMPLES = 24
_MOST_FLOATS = 1 << 26


def errors(
    wanted: Iterable[tuple[str, str]],
    *,
    accuracy: str = "fast",
    max_isa: str | None = None,
    seconds: float = 5.0,
) -> dict[tuple[str, str], float]:
    """For (problem, algorithm), the largest difference to float64 over the largest result, at some outputs:
    the corners and others at random, all channels of each. What would take longer than `seconds` in all, or
    hundreds of megabytes, is left out.

    >>> found = errors([("ic3oc4_ih8kh3ph1", "direct"), ("ic3oc4_ih8kh3ph1", "winograd_f4")])
    >>> all(0 <= error < 1e-4 for error in found.values())
    True
    """
    deadline = time.perf_counter() + seconds
    by_problem: dict[str, list[str]] = {}
    for problem, algorithm in dict.fromkeys(wanted):
        by_problem.setdefault(problem, []).append(algorithm)
    found = {}
    for problem, algorithms in by_problem.items():
        p = pyconv.Conv2dProblem(problem)
        if max(p.src_size, p.dst_size, p.weight_size) > _MOST_FLOATS or time.perf_counter() > deadline:
            continue
        rng = np.random.default_rng(0)
        x = rng.standard_normal((p.mb, p.ih, p.iw, p.ic), np.float32)
        weight = rng.standard_normal((p.oc, p.ic // p.g, p.kh, p.kw), np.float32)
        pixels = _pixels(p, rng)
        expected = at(p, x, weight, pixels)
        for algorithm in algorithms:
            plan = pyconv.Conv2dPlan(
                p, weight, algorithm=algorithm, accuracy=accuracy, layout="nhwc", threads=1, max_isa=max_isa
            )
            got = plan(x)
            found[problem, algorithm] = relative_error(np.stack([got[pixel] for pixel in pixels]), expected)
    return found


Pixel = tuple[int, int, int]


def _pixels(p: pyconv.Conv2dProblem, rng: np.random.Generator) -> list[Pixel]:
    corners = [(0, 0, 0), (p.mb - 1, p.oh - 1, p.ow - 1)]
    others = zip(*(rng.integers(0, size, _SAMPLES).tolist() for size in (p.mb, p.oh, p.ow)))
    return list(dict.fromkeys([*corners, *others]))


def at(
    p: pyconv.Conv2dProblem, x: NDArray[np.float32], weight: NDArray[np.float32], pixels: Sequence[Pixel]
) -> NDArray[np.float64]:
    """The convolution in float64 at (image, row, column) of the result: (pixels, oc)."""
    windows = np.zeros((len(pixels), p.kh, p.kw, p.ic))
    for window, (n, oy, ox) in zip(windows, pixels):
        rows = oy * p.sh - p.pt + p.dh * np.arange(p.kh)
        columns = ox * p.sw - p.pl + p.dw * np.arange(p.kw)
        seen = (rows >= 0) & (rows < p.ih), (columns >= 0) & (columns < p.iw)
        window[np.ix_(*seen)] = x[n][np.ix_(rows[seen[0]], columns[seen[1]])]
    taps = np.asarray(weight, np.float64).reshape(p.g, p.oc // p.g, p.ic // p.g, p.kh, p.kw)
    patches = windows.reshape(len(pixels), p.kh, p.kw, p.g, p.ic // p.g)
    if p.ic == p.g:
        result = np.einsum("phwg,gohw->pgo", patches[..., 0], taps[:, :, 0])
    else:
        flat = patches.transpose(3, 0, 4, 1, 2).reshape(p.g, len(pixels), -1)
        result = (flat @ taps.reshape(p.g, p.oc // p.g, -1).transpose(0, 2, 1)).transpose(1, 0, 2)
    return np.asarray(result.reshape(len(pixels), p.oc), np.float64)
