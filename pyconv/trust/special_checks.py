"""Promise: NaN, infinities, -0 and subnormals go by the rules of docs/numerics.md, in every operation, on every
instruction set, by every algorithm.

What a rule says is written as values; a value that has to be NaN may be any NaN, and -0 is not +0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import pyconv
from pyconv import _core
from pyconv.trust import winograd
from pyconv.trust.compare import Broken, Floats, same_bits
from pyconv.trust.problem_checks import ISAS
from pyconv.trust.values import Draw
from pyconv.trust.work import Work

NAN, INF, LEAST = np.nan, np.inf, 2.0**-149
TINY = 2.0**-140
"""A subnormal whose half is one."""

# By kernel: results for NaN, +inf, -inf, +0, -0 and for subnormals of both signs, TINY and -TINY.
AT = (NAN, INF, -INF, 0.0, -0.0, TINY, -TINY)
HALF = TINY / 2
ELEMENTWISE: dict[str, tuple[float, ...]] = {
    "relu": (NAN, INF, 0.0, 0.0, -0.0, TINY, 0.0),
    "relu6": (NAN, 6.0, 0.0, 0.0, -0.0, TINY, 0.0),
    "leaky_relu": (NAN, INF, -INF, 0.0, -0.0, TINY, -HALF),
    "elu": (NAN, INF, -0.5, 0.0, -0.0, TINY, -HALF),
    "sigmoid": (NAN, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5),
    "hard_sigmoid": (NAN, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5),
    "silu": (NAN, INF, -0.0, 0.0, -0.0, HALF, -HALF),
    "hard_swish": (NAN, INF, -0.0, 0.0, -0.0, HALF, -HALF),
    "tanh": (NAN, 1.0, -1.0, 0.0, -0.0, TINY, -TINY),
    "gelu": (NAN, INF, -0.0, 0.0, -0.0, HALF, -HALF),
    "gelu_tanh": (NAN, INF, -0.0, 0.0, -0.0, HALF, -HALF),
    "exp": (NAN, INF, 0.0, 1.0, 1.0, 1.0, 1.0),
    "abs": (NAN, INF, INF, 0.0, 0.0, TINY, TINY),
    "neg": (NAN, -INF, INF, -0.0, 0.0, -TINY, TINY),
    "sign": (NAN, 1.0, -1.0, 0.0, -0.0, 1.0, -1.0),
    "floor": (NAN, INF, -INF, 0.0, -0.0, 0.0, -1.0),
    "ceil": (NAN, INF, -INF, 0.0, -0.0, 1.0, -0.0),
    "round": (NAN, INF, -INF, 0.0, -0.0, 0.0, -0.0),
    "sqrt": (NAN, INF, NAN, 0.0, -0.0, 2.0**-70, NAN),
    "reciprocal": (NAN, 0.0, -0.0, INF, -INF, INF, -INF),
    "log": (NAN, INF, NAN, -INF, -INF, np.log(TINY), NAN),
    "erf": (NAN, 1.0, -1.0, 0.0, -0.0, TINY * 2 / np.sqrt(np.pi), -TINY * 2 / np.sqrt(np.pi)),
    "softplus": (NAN, INF, 0.0, np.log(2), np.log(2), np.log(2), np.log(2)),
    "softsign": (NAN, NAN, NAN, 0.0, -0.0, TINY, -TINY),
    "add": (NAN, INF, -INF, 0.5, 0.5, 0.5, 0.5),
    "mul": (NAN, INF, -INF, 0.0, -0.0, HALF, -HALF),
    "affine": (NAN, INF, -INF, 0.25, 0.25, 0.25, 0.25),
    "sub": (NAN, INF, -INF, -0.5, -0.5, -0.5, -0.5),
    "div": (NAN, INF, -INF, 0.0, -0.0, 2 * TINY, -2 * TINY),
    "minimum": (NAN, 0.5, -INF, 0.0, -0.0, TINY, -TINY),
    "maximum": (NAN, INF, 0.5, 0.5, 0.5, 0.5, 0.5),
    "pow": (NAN, INF, INF, 0.0, 0.0, 2.0**-70, NAN),
}
P, Q = np.array([0.5], np.float32), np.array([0.25], np.float32)


def _elementwise(isa: str) -> Iterator[str]:
    rows = {kernel.name for kernel in pyconv.kernels() if kernel.available}
    # Among other numbers, and so many that vectors and their rests are met.
    for count in (7, 40):
        x = np.resize(np.array(AT, np.float32), count)
        for op, results in ELEMENTWISE.items():
            row = f"{op}_f32_{isa}"
            if row not in rows:
                raise Broken(f"{row}: there is no such kernel")
            got = _core.eltwise_kernel(row, x, P, Q, None)
            same_bits(got, np.resize(np.array(results, np.float32), count), row)
            yield op


def _case(
    problem: str, algorithm: str, isa: str, accuracy: str
) -> tuple[Any, Floats, Floats, Callable[..., Floats]]:
    p = pyconv.Conv2dProblem(problem)
    draw = Draw("special", problem)
    x = draw.reals(p.mb, p.ic, p.ih, p.iw)
    weight = draw.reals(p.oc, p.ic // p.g, p.kh, p.kw)

    def run(x: Floats, weight: Floats, bias: Floats | None = None) -> Floats:
        plan = pyconv.Conv2dPlan(p, weight, bias, algorithm=algorithm, accuracy=accuracy, max_isa=isa)
        return plan(x)

    return p, x, weight, run


PROBLEMS = ("ic5oc19_ih9kh3ph1", "ic33oc17_ih6iw9kh1", "g18ic18oc18_ih10kh3ph1", "g4ic8oc12_ih9kh3ph1sh2")


def _convolutions(isa: str) -> Iterator[str]:
    for problem in PROBLEMS:
        for accuracy in ("exact", "fast"):
            found = _core.algorithms(
                pyconv.Conv2dProblem(problem), None, None, accuracy, "nchw", 1, isa, None, 0.0
            )
            for name, accepted, *_ in found:
                if accepted:
                    _convolution(problem, name, isa, accuracy)
                    yield f"{problem} {name} {accuracy}"


def _seen(p: Any, channel: int, y: int, x: int) -> Any:
    """Which outputs (oc, oh, ow) have that source pixel in their window."""
    seen = np.zeros((p.oc, p.oh, p.ow), bool)
    group = slice(channel // (p.ic // p.g) * (p.oc // p.g), (channel // (p.ic // p.g) + 1) * (p.oc // p.g))
    for r in range(p.kh):
        for s in range(p.kw):
            oy, ox = y + p.pt - r * p.dh, x + p.pl - s * p.dw
            if oy % p.sh == 0 and ox % p.sw == 0 and 0 <= oy // p.sh < p.oh and 0 <= ox // p.sw < p.ow:
                seen[group, oy // p.sh, ox // p.sw] = True
    return seen


def _convolution(problem: str, algorithm: str, isa: str, accuracy: str) -> None:
    p, x, weight, run = _case(problem, algorithm, isa, accuracy)
    what = f"{problem}, {algorithm}, {isa}, {accuracy}"
    before = run(x, weight)
    channel, y, column = p.ic // 2, p.ih // 2, p.iw // 3
    for value in (NAN, INF):
        changed = x.copy()
        changed[0, channel, y, column] = value
        got = run(changed, weight)[0]
        seen = _seen(p, channel, y, column)
        _expect(not np.isfinite(got[seen]).any(), f"{what}: a result without the {value} in its window")
        if algorithm not in winograd.TILES:  # which mix the pixels of a tile
            same_bits(got[~seen], before[0][~seen], f"{what}: beside the windows that hold a {value}")
    poisoned = weight.copy()
    poisoned[p.oc // 2, 0, 0, 0] = NAN
    got = run(x, poisoned)
    if not (p.pt or p.pl):  # else the tap of the first row and column is padding for some
        _expect(np.isnan(got[:, p.oc // 2]).all(), f"{what}: a channel without the NaN of its weights")
    others = np.arange(p.oc) != p.oc // 2
    same_bits(got[:, others], before[:, others], f"{what}: channels beside one with a NaN weight")
    bias = np.zeros(p.oc, np.float32)
    bias[-1] = NAN
    _expect(np.isnan(run(x, weight, bias)[:, -1]).all(), f"{what}: a channel without the NaN of its bias")
    _zeros_and_subnormals(p, weight, run, what, algorithm, accuracy)


def _zeros_and_subnormals(
    p: Any, weight: Floats, run: Callable[..., Floats], what: str, algorithm: str, accuracy: str
) -> None:
    nothing = np.zeros((p.mb, p.ic, p.ih, p.iw), np.float32)
    for zeros in (nothing, -nothing):
        got = run(zeros, weight, np.full(p.oc, -0.0, np.float32))
        _expect(not got.any(), f"{what}: zeros give something")
        _expect(accuracy == "fast" or not np.signbit(got).any(), f"{what}: -0 in exact mode")
    if algorithm in winograd.TILES:
        return
    # Products of 2^-147: each is exact, and so are all their sums.
    small = run(np.full_like(nothing, 2.0**-75), np.full_like(weight, 2.0**-72))
    taps = run(np.ones_like(nothing), np.ones_like(weight))
    same_bits(small, np.ldexp(taps, -147).astype(np.float32), f"{what}: subnormal products")


def _expect(kept: Any, what: str) -> None:
    if not kept:
        raise Broken(what)


def _operators(isa: str) -> Iterator[str]:
    """The rest, one rule each."""
    how: dict[str, Any] = {"max_isa": isa}
    for name, got, want in [*_pools(how), *_sums(how), *_copies(how), *_norms(how)]:
        same_bits(
            np.asarray(got, np.float32), np.asarray(want, np.float32).reshape(got.shape), f"{name}, {isa}"
        )
        yield name


Rule = tuple[str, Floats, Any]


def _image(*values: float) -> Floats:
    """One row of pixels of one channel."""
    return np.array(values, np.float32).reshape(1, 1, 1, -1)


def _pools(how: dict[str, Any]) -> Iterator[Rule]:
    x = _image(1, NAN, -INF, -INF, -0.0, TINY)
    for layout in ("nchw", "nhwc"):
        image = x if layout == "nchw" else np.ascontiguousarray(x.transpose(0, 2, 3, 1))
        run = {"layout": layout, **how}
        yield "max_pool2d", pyconv.max_pool2d(image, (1, 2), **run), (NAN, -INF, TINY)
        padded = pyconv.max_pool2d(
            image[:, :, 2:4] if layout == "nhwc" else image[..., 2:4], 3, padding=1, **run
        )
        yield "max_pool2d, padding", padded, (-INF,)
        yield "avg_pool2d", pyconv.avg_pool2d(image, (1, 2), **run), (NAN, -INF, HALF)
        yield "global_max_pool2d", pyconv.global_max_pool2d(image, **run), (NAN,)
        yield "global_avg_pool2d", pyconv.global_avg_pool2d(image, **run), (NAN,)
    yield "avg_pool2d, inf - inf", pyconv.avg_pool2d(_image(INF, -INF), (1, 2), **how), (NAN,)


def _sums(how: dict[str, Any]) -> Iterator[Rule]:
    x = np.array([[1, 0], [INF, 0], [NAN, 0], [TINY, -TINY]], np.float32)
    yield (
        "linear",
        pyconv.linear(x, np.array([[1, 1]], np.float32), accuracy="exact", **how),
        (1, INF, NAN, 0.0),
    )
    yield "linear, 0 * inf", pyconv.linear(x[:1], np.array([[1, INF]], np.float32), **how), (NAN,)
    image = _image(1, NAN, -0.0)
    ones = np.ones((1, 1, 1, 1), np.float32)
    found = pyconv.conv_transpose2d(image, ones, stride=(1, 2), accuracy="exact", **how)
    yield "conv_transpose2d", found, (1, 0, NAN, 0, 0)
    a, b = np.array([INF, INF, 0, -0.0, TINY], np.float32), np.array([-INF, 1, INF, -0.0, -TINY], np.float32)
    yield "add", pyconv.add(a, b, **how), (NAN, INF, INF, -0.0, 0.0)
    yield "mul", pyconv.mul(a, b, **how), (-INF, INF, NAN, 0.0, -0.0)


def _copies(how: dict[str, Any]) -> Iterator[Rule]:
    x = _image(*AT)
    yield "concat", pyconv.concat([x, x], 3), AT * 2
    yield "pad", pyconv.pad(x, (0, 0, 1, 0), value=-0.0), (-0.0, *AT)
    yield "nchw_to_nhwc", pyconv.nchw_to_nhwc(x, **how), AT
    yield "nhwc_to_nchw", pyconv.nhwc_to_nchw(x.reshape(1, 1, 7, 1), **how), AT
    yield "resize, nearest", pyconv.resize(x, (1, 14), **how), np.repeat(AT, 2)
    found = pyconv.resize(_image(1, INF, TINY, TINY), (1, 4), mode="bilinear", **how)
    # A neighbour of weight 0 takes part, and the row itself twice.
    yield "resize, bilinear", found, (NAN, NAN, TINY, TINY)


def _norms(how: dict[str, Any]) -> Iterator[Rule]:
    rows = np.array([[0, NAN, 0], [0, INF, 0], [-INF] * 3, [0, -INF, 0]], np.float32)
    nans = (NAN,) * 9
    yield "softmax", pyconv.softmax(rows, **how), (*nans, 0.5, 0.0, 0.5)
    yield "log_softmax", pyconv.log_softmax(rows, **how)[:3], nans
    channels = np.array([1, 1, NAN, TINY], np.float32).reshape(1, 4, 1, 1)
    mean, var = np.array([0, -1, 0, 0], np.float32), np.array([-1, 0, 1, 1], np.float32)
    yield "batch_norm", pyconv.batch_norm(channels, mean, var, eps=0.0, **how), (NAN, INF, NAN, TINY)
    x = np.array([0, 3e38, 1], np.float32).reshape(3, 1, 1, 1)
    for beta in (0.75, 0.6):
        yield "lrn, k 0", pyconv.lrn(x[:1], 1, alpha=1.0, beta=beta, k=0.0, **how), (NAN,)
        yield "lrn, overflow", pyconv.lrn(x[1:2], 1, alpha=1.0, beta=beta, **how), (0.0,)
        yield "lrn, negative", pyconv.lrn(x[2:], 1, alpha=1.0, beta=beta, k=-3.0, **how), (NAN,)
    yield "prelu", pyconv.prelu(_image(*AT), P, **how), ELEMENTWISE["leaky_relu"]


def run(work: Work) -> None:
    """Every rule once for each instruction set, whatever the time: there are few."""
    groups = (("elementwise", _elementwise), ("convolutions", _convolutions), ("operators", _operators))
    work.figures["instruction sets"] = len(ISAS)
    for at, isa in enumerate(ISAS):
        work.at(at, at / len(ISAS))
        with np.errstate(all="ignore"):
            for name, rules in groups:
                for _ in rules(isa):
                    work.count(f"rules of {name}")
