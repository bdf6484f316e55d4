"""Pools and element-wise operators against the copy bandwidth of the cache level they live in; the
exp family against torch.

    python -m benchmarks.bench_ops stream      relu, relu6, add, mul in L1, L2, L3 and DRAM
    python -m benchmarks.bench_ops pool        max, average and global pools
    python -m benchmarks.bench_ops exp         sigmoid, tanh, silu, gelu, elu, softmax beside torch

`share` is bytes read and written per second, as a share of what a copy over the same footprint
reaches in the same rounds; the time of the same call on an array of 16 floats is taken off first,
since it is no business of the kernel's (`call` shows it, `gross` is the share with it).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import pyconv
from pyconv.bench import harness
from pyconv.bench.harness import Options, Report
from pyconv.bench.peers import check, load
from pyconv.bench.problems import Array, Goal, aligned
from pyconv.study import machine

STREAM_GOAL = Goal("share", ">=", 0.8)
EXP_GOAL = Goal("torch", ">=", 1.5)
OURS, CALL, COPY = "ours", "call", "copy"

COLUMNS: tuple[harness.Column, ...] = (
    ("operator", 34, "s"),
    ("level", 5, "s"),
    ("KiB", 8, ".0f"),
    ("us", 9, ".2f"),
    ("+-%", 4, ".0f"),
    ("call", 6, ".2f"),
    ("GB/s", 7, ".1f"),
    ("copy", 7, ".1f"),
    ("share", 7, ".1%"),
    ("gross", 7, ".1%"),
)
EXP_COLUMNS: tuple[harness.Column, ...] = (
    ("operator", 34, "s"),
    ("KiB", 8, ".0f"),
    ("us", 9, ".2f"),
    ("+-%", 4, ".0f"),
    ("ns/float", 8, ".3f"),
    ("torch us", 9, ".2f"),
    ("torch", 7, ".2f"),
)


@dataclass(frozen=True)
class Operator:
    """A call that is timed, the same call on almost nothing, what it moves and what it means."""

    name: str
    run: Callable[[], object]
    small: Callable[[], object]
    bytes: int
    result: Callable[[], Array]
    expected: Array


def _random(*shape: int, seed: int = 0) -> Array:
    array = aligned(shape)
    array[...] = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return array


def _unary(
    name: str, function: Callable[..., object], n: int, expected: Callable[[Array], Array]
) -> Operator:
    x, few = _random(n), _random(16)
    out, out_few = aligned(x.shape), aligned(few.shape)
    run = partial(function, x, out=out, threads=1)
    small = partial(function, few, out=out_few, threads=1)
    return Operator(name, run, small, 8 * n, lambda: out, expected(x))


def _binary(name: str, function: Callable[..., object], n: int, expected: Array) -> Operator:
    a, b, few = _random(n), _random(n, seed=1), _random(16)
    out, out_few = aligned(a.shape), aligned(few.shape)
    run = partial(function, a, b, out=out, threads=1)
    small = partial(function, few, few, out=out_few, threads=1)
    return Operator(name, run, small, 12 * n, lambda: out, expected)


def stream_operators(footprint: int) -> list[Operator]:
    """relu, relu6 (two arrays each), add and mul (three) over `footprint` bytes in all."""
    two, three = footprint // 8, footprint // 12
    a, b = _random(three), _random(three, seed=1)
    return [
        _unary("relu", pyconv.relu, two, lambda x: np.maximum(x, 0)),
        _unary("relu6", pyconv.relu6, two, lambda x: np.clip(x, 0, 6)),
        _binary("add", pyconv.add, three, a + b),
        _binary("mul", pyconv.mul, three, a * b),
    ]


@dataclass(frozen=True)
class Pool:
    """One pooling layer: channels, image side, window, stride, padding; window 0 is the whole image."""

    kind: str
    c: int
    ih: int
    k: int = 0
    s: int = 1
    p: int = 0

    @property
    def name(self) -> str:
        window = f"{self.k}x{self.k}s{self.s}" if self.k else "global"
        return f"{self.kind} {window} {self.c}@{self.ih}"


POOLS = (
    Pool("max", 64, 112, 3, 2, 1),
    Pool("max", 64, 112, 2, 2),
    Pool("max", 256, 28, 2, 2),
    Pool("max", 480, 14, 3, 1, 1),
    Pool("max", 64, 224, 2, 2),
    Pool("avg", 64, 112, 2, 2),
    Pool("avg", 256, 28, 3, 2, 1),
    Pool("avg", 256, 56, 2, 2),
    Pool("avg", 1024, 7),
    Pool("avg", 2048, 7),
    Pool("avg", 512, 28),
    Pool("max", 512, 14),
)


def pool_operator(pool: Pool) -> Operator:
    x, few = _random(1, pool.ih, pool.ih, pool.c), _random(1, 4, 4, 1)
    if not pool.k:
        function = pyconv.global_avg_pool2d if pool.kind == "avg" else pyconv.global_max_pool2d
        reduce = np.mean if pool.kind == "avg" else np.max
        expected = np.asarray(reduce(x, axis=(1, 2), keepdims=True), np.float32)
        call = partial(function, layout="nhwc", threads=1)
    else:
        function = pyconv.max_pool2d if pool.kind == "max" else pyconv.avg_pool2d
        call = partial(function, kernel_size=pool.k, stride=pool.s, padding=pool.p, layout="nhwc", threads=1)
        expected = _pooled(pool, x)
    out, out_few = aligned(expected.shape), np.zeros_like(call(few))
    run, small = partial(call, x, out=out), partial(call, few, out=out_few)
    return Operator(pool.name, run, small, x.nbytes + out.nbytes, lambda: out, expected)


def _pooled(pool: Pool, x: Array) -> Array:
    fill = -np.inf if pool.kind == "max" else 0.0
    sides = ((0, 0), (pool.p, pool.p), (pool.p, pool.p), (0, 0))
    padded = np.pad(x, sides, constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, (pool.k, pool.k), axis=(1, 2))
    view = view[:, :: pool.s, :: pool.s]
    return np.asarray(view.max((-1, -2)) if pool.kind == "max" else view.mean((-1, -2)), np.float32)


def run_stream(opts: Options) -> Report:
    report = Report("element-wise operators (one thread)", COLUMNS, quiet=opts.quiet)
    report.start()
    for footprint in level_footprints():
        for operator in stream_operators(footprint):
            _stream_row(operator, report, opts)
    report.finish()
    return report


def run_pool(opts: Options) -> Report:
    report = Report("pooling (NHWC, one thread)", COLUMNS, quiet=opts.quiet)
    report.start()
    for pool in POOLS:
        _stream_row(pool_operator(pool), report, opts)
    report.finish()
    return report


def level_footprints() -> list[int]:
    """A bit less than half of L1 and L2, a quarter of L3, four times L3; no powers of two, since
    arrays a power of two apart compete for the same sets and banks."""
    caches = machine.capacities()
    shares = {"L1": 0.47, "L2": 0.47, "L3": 0.23}
    return [int(share * caches[level]) for level, share in shares.items()] + [int(3.7 * caches["L3"])]


def _level(footprint: int) -> str:
    caches = machine.capacities()
    return next((level for level in caches if footprint <= caches[level]), "DRAM")


def _stream_row(operator: Operator, report: Report, opts: Options) -> None:
    operator.run()
    check(operator.result(), operator.expected, operator.name, tolerance=1e-5)
    rates: list[float] = []
    cases = {OURS: operator.run, CALL: operator.small, COPY: harness.copy_case(operator.bytes, rates)}
    run = harness.interleaved(cases, opts)
    copy = max(rates)
    gross, call = run[OURS].minimum, run[CALL].minimum
    net = max(gross - call, 1e-9)
    share = operator.bytes / net / copy
    row: dict[str, object] = {
        "operator": operator.name,
        "level": _level(operator.bytes),
        "KiB": operator.bytes / 1024,
        "us": gross * 1e6,
        "+-%": 100 * run[OURS].spread,
        "call": call * 1e6,
        "GB/s": operator.bytes / net * 1e-9,
        "copy": copy * 1e-9,
        "share": share,
        "gross": operator.bytes / gross / copy,
    }
    report.add(row, run.as_dict())
    report.judge(f"{operator.name} {row['level']}", [STREAM_GOAL], {"share": share})


EXP_SHAPE = (1, 56, 56, 64)
SOFTMAX_SHAPE = (256, 1000)


def exp_cases() -> dict[str, tuple[Callable[..., object], str, dict[str, object], tuple[int, ...]]]:
    """Name: our function, torch's name for it, torch's keywords, the shape."""
    return {
        "sigmoid": (pyconv.sigmoid, "sigmoid", {}, EXP_SHAPE),
        "tanh": (pyconv.tanh, "tanh", {}, EXP_SHAPE),
        "silu": (pyconv.silu, "silu", {}, EXP_SHAPE),
        "elu": (pyconv.elu, "elu", {}, EXP_SHAPE),
        "gelu": (pyconv.gelu, "gelu", {}, EXP_SHAPE),
        "gelu tanh": (
            partial(pyconv.gelu, approximate="tanh"), "gelu", {"approximate": "tanh"}, EXP_SHAPE,
        ),
        "softmax": (partial(pyconv.softmax, axis=-1), "softmax", {"dim": -1}, SOFTMAX_SHAPE),
        "log_softmax": (
            partial(pyconv.log_softmax, axis=-1), "log_softmax", {"dim": -1}, SOFTMAX_SHAPE,
        ),
    }  # fmt: skip


def run_exp(opts: Options) -> Report:
    report = Report("exp family beside torch (one thread)", EXP_COLUMNS, quiet=opts.quiet)
    report.start()
    peer = load("torch")
    for name, (function, torch_name, keywords, shape) in exp_cases().items():
        x = _random(*shape)
        x *= 3
        out = aligned(x.shape)
        cases: dict[str, Callable[[], object]] = {OURS: partial(function, x, out=out, threads=1)}
        cases[OURS]()
        if peer is not None:
            cases["torch"], result = peer.activation(torch_name, x, keywords)
            check(out, result(), name, tolerance=1e-5)
        measured = harness.measure_beside_peak(cases, opts)
        seconds = measured.seconds(OURS)
        row: dict[str, object] = {
            "operator": name,
            "KiB": 2 * x.nbytes / 1024,
            "us": seconds * 1e6,
            "+-%": 100 * measured.run[OURS].spread,
            "ns/float": seconds / x.size * 1e9,
        }
        if peer is not None:
            row |= {"torch us": measured.seconds("torch") * 1e6, "torch": measured.ratio("torch", OURS)}
            report.judge(name, [EXP_GOAL], {"torch": measured.ratio("torch", OURS)})
        report.add(row, measured.as_dict())
    report.finish()
    return report


SECTIONS = {"stream": run_stream, "pool": run_pool, "exp": run_exp}


def main(arguments: list[str] | None = None) -> int:
    parser = harness.parser(__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="default all")
    parsed = parser.parse_args(arguments)
    opts = harness.options(parsed)
    return harness.finish([SECTIONS[name](opts) for name in parsed.sections or SECTIONS], opts)


def test_relu(benchmark):
    operator = stream_operators(1 << 20)[0]
    benchmark.extra_info.update(bytes=operator.bytes)
    benchmark(operator.run)


def test_max_pool(benchmark):
    operator = pool_operator(POOLS[0])
    benchmark.extra_info.update(bytes=operator.bytes)
    benchmark(operator.run)


if __name__ == "__main__":
    sys.exit(main())
