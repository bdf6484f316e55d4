"""Our side of a comparison: ways to run one problem, in the form that the peers have too."""

from __future__ import annotations

from functools import partial

import numpy as np

import pyconv
from pyconv.study.timing import calls_per_sample, sample

from .peers import TRIAL_SECONDS, Runner
from .problems import Array, Problem, aligned

TRANSFORMS = ("winograd_f2", "winograd_f4", "winograd_f6", "separable")
Operands = tuple[Array, Array, Array]


def plan_runner(
    p: Problem,
    operands: Operands,
    *,
    algorithm: str = "auto",
    accuracy: str = "fast",
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Runner:
    """A Conv2dPlan on aligned NHWC arrays with `out=`; `how` names the algorithm that it chose."""
    src, weights, bias = operands
    plan = pyconv.Conv2dPlan(
        p,
        weights,
        bias,
        layout="nhwc",
        algorithm=algorithm,
        accuracy=accuracy,
        threads=1,
        max_isa=max_isa,
        kernel=kernel,
    )
    source, dst = aligned((p.mb, p.ih, p.iw, p.ic)), aligned((p.mb, p.oh, p.ow, p.oc))
    source[...] = src.transpose(0, 2, 3, 1)
    how = plan.algorithm
    return Runner(how, partial(plan, source, out=dst), lambda: dst.transpose(0, 3, 1, 2))


def one_shot_runner(p: Problem, operands: Operands, max_isa: str | None = None) -> Runner:
    """conv2d on numpy's own NHWC arrays: packs the weights and allocates the result each time."""
    src, weights, bias = operands
    source = np.ascontiguousarray(src.transpose(0, 2, 3, 1))
    call = partial(
        pyconv.conv2d,
        source,
        weights,
        bias,
        stride=(p.sh, p.sw),
        padding=(p.pt, p.pb, p.pl, p.pr),
        dilation=(p.dh, p.dw),
        groups=p.g,
        layout="nhwc",
        threads=1,
        max_isa=max_isa,
    )
    return Runner("conv2d", call, lambda: call().transpose(0, 3, 1, 2))


def accepted(p: Problem, transforms: bool | None = None) -> list[str]:
    """Algorithms that accept the problem, textbook loops apart; `transforms` keeps one kind."""
    entries = pyconv.algorithms(
        (p.mb, p.ic, p.ih, p.iw),
        (p.oc, p.ic // p.g, p.kh, p.kw),
        stride=(p.sh, p.sw),
        padding=(p.pt, p.pb, p.pl, p.pr),
        dilation=(p.dh, p.dw),
        groups=p.g,
    )
    names = [entry.name for entry in entries if entry.accepted and entry.name != "reference"]
    if transforms is None:
        return names
    return [name for name in names if (name in TRANSFORMS) == transforms]


def trials(
    p: Problem, operands: Operands, transforms: bool | None = None, max_isa: str | None = None
) -> list[tuple[float, Runner]]:
    """Seconds of every algorithm that accepts the problem, by a short trial, quickest first."""
    timed = []
    for name in accepted(p, transforms):
        runner = plan_runner(p, operands, algorithm=name, max_isa=max_isa)
        calls = calls_per_sample(runner.run, TRIAL_SECONDS)
        timed.append((min(sample(runner.run, calls) for _ in range(3)), runner))
    return sorted(timed, key=lambda trial: trial[0])


def check_points(p: Problem, operands: Operands, got: Array, points: int = 24) -> None:
    """Compares a few outputs with the float64 meaning, corners included.

    The bound is loose enough for every transform (relative to the sum of absolute products).
    """
    src, weights, bias = operands
    if not got.size:
        return
    rng = np.random.default_rng(1)
    for index in range(points):
        n, q = int(rng.integers(p.mb)), int(rng.integers(p.oc))
        y, x = int(rng.integers(p.oh)), int(rng.integers(p.ow))
        if index < 2:
            y, x = (0, 0) if index == 0 else (p.oh - 1, p.ow - 1)
        want, scale = _point(p, src, weights, bias, (n, q, y, x))
        if not abs(float(got[n, q, y, x]) - want) <= 1e-4 * scale:
            raise ValueError(f"{p}: expected {want:.6g} at {(n, q, y, x)}, got {got[n, q, y, x]:.6g}")


def _point(
    p: Problem, src: Array, weights: Array, bias: Array, at: tuple[int, int, int, int]
) -> tuple[float, float]:
    """One output in float64, and the sum of its absolute terms."""
    n, q, y, x = at
    icg = p.ic // p.g
    first = q // (p.oc // p.g) * icg
    rows = y * p.sh - p.pt + p.dh * np.arange(p.kh)
    cols = x * p.sw - p.pl + p.dw * np.arange(p.kw)
    real_rows, real_cols = (rows >= 0) & (rows < p.ih), (cols >= 0) & (cols < p.iw)
    window = src[n, first : first + icg][:, rows[real_rows]][:, :, cols[real_cols]]
    taps = weights[q][:, real_rows][:, :, real_cols]
    terms = window.astype(np.float64) * taps.astype(np.float64)
    return float(terms.sum() + bias[q]), float(np.abs(terms).sum() + abs(bias[q]) + 1e-3)
