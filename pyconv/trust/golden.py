"""Stored hashes of exact results, by which any machine checks itself: `pyconv verify`.

Inputs come from integer generators, so that they are the same everywhere. Of convolutions and elementwise
functions they are those of csrc/tools/exact_hashes.cpp and eltwise_hashes.cpp, which run without Python, as under
an emulator of another CPU; further operators and whole networks take theirs from `pyconv.trust.values`.

    python -m pyconv.trust.golden

prints the file anew; its bits change with the bits of exact mode alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from typing import Any

import numpy as np

import pyconv
from pyconv import _core
from pyconv.trust.compare import Floats, bits
from pyconv.trust.graphs import drawn_graph
from pyconv.trust.values import Draw

PROBLEMS = (
    "ic1oc1_ih8kh3", "ic3oc17_ih9kh3sh2ph1", "mb2ic16oc33_ih7kh1", "ic37oc5_ih6iw11kh1sh2",
    "ic8oc24_ih12kh3ph1dh2", "ic5oc70_ih10kh5ph2sh2sw1", "mb3ic20oc20_ih5kh3pt0pl1pb1pr0",
    "g4ic8oc12_ih9kh3ph1", "g32ic32oc32_ih9kh3ph1", "g19ic19oc19_ih8iw13kh5ph2sh2", "g6ic6oc18_ih7kh3ph1",
    "g2ic34oc6_ih6kh2kw3", "ic130oc2_ih5kh3ph1", "ic1500oc3_ih2kh1",
)  # fmt: skip
"""Those of csrc/tools/exact_hashes.cpp."""

GRAPHS = 40
_MMIX = 6364136223846793005, 1442695040888963407


class Values:
    """The generator of csrc/tools: Knuth's MMIX, reals of either sign over eight binades."""

    def __init__(self) -> None:
        self.state = 0x9E3779B97F4A7C15

    def word(self) -> int:
        self.state = (self.state * _MMIX[0] + _MMIX[1]) % 2**64
        return self.state >> 32

    def next(self) -> Any:
        word = self.word()
        if word & 15 == 0:
            return np.float32(-0.0 if word & 16 else 0.0)
        fraction = np.float32(word >> 8) / np.float32(16777216) - np.float32(0.5)
        return np.float32(fraction * np.float32(1 << (word >> 5 & 7)))

    def take(self, *shape: int) -> Floats:
        count = int(np.prod(shape))
        return np.array([self.next() for _ in range(count)], np.float32).reshape(shape)

    def patterns(self, count: int = 4070) -> Floats:
        """Any bits, and numbers of moderate size, in turn."""
        floats = np.empty(count, np.float32)
        for i in range(count):
            word = np.array([self.word()], np.uint32)
            signed = np.float32(word.view(np.int32)[0]) * np.float32(2.0**-24)
            floats[i] = word.view(np.float32)[0] if i % 2 == 0 else signed
        return floats


def fnv1a(array: Any) -> str:
    """The hash of csrc/tools, over the bytes as they are."""
    value = 14695981039346656037
    for byte in np.ascontiguousarray(array).tobytes():
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def digest(*arrays: Any) -> str:
    """Over the bits, any NaN as one and the same."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(bits(array).tobytes())
    return state.hexdigest()[:16]


Check = Callable[[str], str]
"""From the instruction set to the hash."""


def checks() -> Iterator[tuple[str, str, Check]]:
    """Group, name, and what computes the hash."""
    for problem in PROBLEMS:
        yield "convolutions", problem, partial(_convolution, problem)
    yield from _elementwise()
    yield from _operators()
    for index in range(GRAPHS):
        yield "networks", str(index), partial(_graph, index)


def _convolution(problem: str, isa: str) -> str:
    """By every algorithm that accepts it; all hashes where they differ."""
    p = pyconv.Conv2dProblem(problem)
    values = Values()
    x = values.take(p.mb, p.ic, p.ih, p.iw)
    weight, bias = values.take(p.oc, p.ic // p.g, p.kh, p.kw), values.take(p.oc)
    found: dict[str, list[str]] = {}
    for name, accepted, *_ in _core.algorithms(p, None, None, "exact", "nchw", 1, isa, None, 0.0):
        if accepted:
            plan = pyconv.Conv2dPlan(p, weight, bias, accuracy="exact", algorithm=name, max_isa=isa)
            found.setdefault(fnv1a(plan(x)), []).append(name)
    if len(found) == 1:
        return min(found)
    return " ".join(f"{value} ({', '.join(names)})" for value, names in found.items())


PARAMETRIC = (
    "leaky_relu elu add mul affine sub div minimum maximum pow clip selu celu thresholded_relu affine_unit "
    "affine_relu"
).split()


def one_nan(array: Floats) -> Floats:
    array = np.array(array, np.float32)
    array.view(np.uint32)[np.isnan(array)] = 0x7FC00000
    return array


def _elementwise() -> Iterator[tuple[str, str, Check]]:
    values = Values()
    x, p, q = (values.patterns() for _ in range(3))

    def function(op: str, isa: str) -> str:
        row = f"{op}_f32_{isa}"
        results = [_core.eltwise_kernel(row, x, p[1:2], p[1:2], None)]
        if op in PARAMETRIC:
            results.append(_core.eltwise_kernel(row, x, p, q, None))
        return fnv1a(one_nan(np.concatenate(results)))

    rows = [k.name for k in pyconv.kernels() if k.family == "eltwise" and k.isa == "scalar"]
    for op in sorted(row.rsplit("_f32_", 1)[0] for row in rows):
        if not op.endswith("_fast"):
            yield "elementwise", op, partial(function, op)
    with np.errstate(invalid="ignore"):
        tame = np.where((x > -100) & (x < 100), x, np.float32(1.5))

    def along(name: str, shape: tuple[int, int], axis: int, isa: str) -> str:
        return fnv1a(getattr(pyconv, name)(tame.reshape(shape), axis, max_isa=isa))

    for name in ("softmax", "log_softmax"):
        yield "elementwise", name, partial(along, name, (110, 37), 1)
        yield "elementwise", f"{name}_columns", partial(along, name, (37, 110), 0)


def _operators() -> Iterator[tuple[str, str, Check]]:
    draw = Draw("golden")
    x, weight, bias = draw.reals(2, 21, 13, 11), draw.reals(21, 9, 3, 3), draw.reals(9)
    rows, matrix = draw.reals(7, 150), draw.reals(35, 150)
    c = [draw.reals(21) for _ in range(4)]
    made: dict[str, Callable[..., Any]] = {
        "max_pool2d": lambda **o: pyconv.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, **o),
        "avg_pool2d": lambda **o: pyconv.avg_pool2d(x, 3, stride=2, padding=1, **o),
        "global_avg_pool2d": lambda **o: pyconv.global_avg_pool2d(x, **o),
        "global_max_pool2d": lambda **o: pyconv.global_max_pool2d(x, **o),
        "linear": lambda **o: pyconv.linear(rows, matrix, accuracy="exact", **o),
        "conv_transpose2d": lambda **o: pyconv.conv_transpose2d(
            x, weight, bias, stride=2, padding=1, accuracy="exact", **o
        ),
        "batch_norm": lambda **o: pyconv.batch_norm(x, c[0], np.abs(c[1]), c[2], c[3], **o),
        "lrn": lambda **o: pyconv.lrn(x, 5, alpha=0.5, beta=0.75, **o),
        "lrn, beta 0.6": lambda **o: pyconv.lrn(x, 3, alpha=0.5, beta=0.6, **o),
        "resize, bilinear": lambda **o: pyconv.resize(x, (20, 7), mode="bilinear", **o),
        "prelu": lambda **o: pyconv.prelu(x, c[0], **o),
    }  # fmt: skip

    def result(name: str, isa: str) -> str:
        return digest(made[name](max_isa=isa))

    for name in made:
        yield "operators", name, partial(result, name)


def _graph(index: int, isa: str) -> str:
    builder = drawn_graph(0, index, 2)
    x = Draw("golden graph", index).reals(*builder.graph.value(builder.graph.inputs[0])[2])
    outputs = pyconv.compile(builder, accuracy="exact", max_isa=isa, threads=2)(x)
    return digest(*(outputs if isinstance(outputs, tuple) else (outputs,)))


def stored() -> dict[str, dict[str, str]]:
    """Hash by group and name."""
    text = (resources.files("pyconv") / "data" / "golden.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def computed(isa: str) -> dict[str, dict[str, str]]:
    """As `stored`, by this machine."""
    found: dict[str, dict[str, str]] = {}
    for group, name, check in checks():
        found.setdefault(group, {})[name] = check(isa)
    return found


if __name__ == "__main__":
    print(json.dumps(computed("scalar"), indent=1))
