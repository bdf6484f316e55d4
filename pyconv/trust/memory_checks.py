"""Promises about memory: what stays flat, what can't be had, and what running does not take."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Any

import numpy as np

import pyconv
from pyconv import nn
from pyconv.trust.compare import Broken, Floats, same_bits
from pyconv.trust.graphs import drawn_graph
from pyconv.trust.thread_checks import network
from pyconv.trust.values import Draw
from pyconv.trust.work import Skipped, Work

SHAPES, INFERENCES = 10_000, 100_000
LEAST_SHAPES = 3000
"""Fewer do not meet every size that the allocator keeps blocks of."""
IN_USE = 256 << 10
"""Bytes: what glibc keeps of freed blocks for a thread (64 sizes up to 1 KiB, seven of each), counted as in use."""
RESIDENT = 8 << 20
"""Bytes: holes between blocks, of the size of a dozen of the largest operands."""


def resident() -> int:
    """Bytes of this process in memory."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        raise Skipped("needs /proc/self/statm") from None


class Flat:
    """Watches the resident size and what the allocator has in use: their highest in each third of the work."""

    def __init__(self) -> None:
        self._used = _allocated()
        self.resident, self.used = [0, 0, 0], [0, 0, 0]

    def note(self, done: float) -> None:
        third = min(2, int(3 * done))
        self.resident[third] = max(self.resident[third], resident())
        self.used[third] = max(self.used[third], self._used())

    def figures(self, work: Work, enough: bool) -> None:
        """Growth from the second third to the last; Broken where there was enough work to tell."""
        work.figures["MB resident"] = round(max(self.resident) / 1e6, 1)
        if not (self.resident[1] and self.resident[2]):
            return
        for what, highest, room in (("resident", self.resident, RESIDENT), ("in use", self.used, IN_USE)):
            growth = max(0, highest[2] - highest[1])
            work.figures[f"KB more {what}"] = growth // 1000
            if enough and growth > room:
                raise Broken(
                    f"{growth} bytes more {what} in the last third than in the one before, which had {highest[1]}"
                )


def _shape(draw: Draw) -> None:
    """A convolution, a pool, a plan and a small network of a shape of their own."""
    n, c, h, w = draw.pick((1, 2)), draw.between(1, 48), draw.between(3, 40), draw.between(3, 40)
    oc = draw.between(1, 48)
    x = draw.reals(n, c, h, w)
    weight = draw.reals(oc, c, 3, 3)
    pyconv.conv2d(x, weight, padding=1)
    pyconv.max_pool2d(x, 2, padding=1)
    plan = pyconv.Conv2dPlan(pyconv.problem_from_shapes(x.shape, weight.shape, padding=1), weight, threads=2)
    plan(x)
    net = nn.Sequential(nn.Conv2d(c, oc, 1), nn.ReLU())
    pyconv.compile(net, x.shape, threads=draw.pick((1, 2)))(x)


def shapes(work: Work) -> None:
    """10,000 input shapes, in thirds: the last needs no more memory than the one before."""
    flat = Flat()
    draw = Draw("shapes", work.seed)
    for index in work.cases(SHAPES):
        _shape(draw)
        flat.note(max(1 - work.left / work.seconds, index / SHAPES))
        work.count("input shapes")
    flat.figures(work, enough=work.figures["input shapes"] >= LEAST_SHAPES)


def inferences(work: Work) -> None:
    """100,000 runs of two networks, on one thread and on two, in thirds."""
    made = [network(1, 1), network(2, 2)]
    out = [np.empty(model.output_shapes["output"], np.float32) for model, _ in made]
    flat = Flat()
    for index in work.cases(INFERENCES // 100):
        for _ in range(50):
            for (model, x), to in zip(made, out):
                model.run(x, out=to)
        flat.note(max(1 - work.left / work.seconds, 100 * index / INFERENCES))
        work.count("inferences", 100)
    flat.figures(work, enough=True)


def unmet(work: Work) -> None:
    """With little address space left, what can't be had is a MemoryError, and the process goes on."""
    try:
        import resource
    except ImportError:
        raise Skipped("needs resource limits") from None
    if sys.platform != "linux":
        raise Skipped("needs Linux' limit of the address space")
    if pyconv._core.__version__ == "sanitized":
        raise Skipped("a sanitizer's allocator ends the process")
    model, x = network(1, 2)
    want = model(x).copy()
    draw = Draw("unmet", work.seed)
    before = resource.getrlimit(resource.RLIMIT_AS)
    for index in work.cases():
        with open("/proc/self/statm", "rb") as file:
            used = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        room = draw.between(24, 96) << 20
        resource.setrlimit(resource.RLIMIT_AS, (used + room, before[1]))
        try:
            outcome = _greedy(index % 3, draw.between(3, 8) * room)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
        gc.collect()
        if outcome is not None:
            raise Broken(f"{room} bytes left: {outcome}")
        work.count("requests refused")
        same_bits(model(x), want, "after a MemoryError")


def _greedy(kind: int, least: int) -> str | None:
    """Asks for more than `least` bytes; None where that was a MemoryError."""
    side = int((least / 4 / 16) ** 0.5) + 64
    try:
        if kind == 0:  # the arena of a network
            net = nn.Sequential(nn.Conv2d(1, 16, 1), nn.ReLU(), nn.Conv2d(16, 1, 3, 1, 1))
            model = pyconv.compile(net, (1, 1, side, side))
            model(_zeros(side))
        elif kind == 1:  # packed weights
            channels = int((least / 4 / 9) ** 0.5) + 64
            weight: Any = np.broadcast_to(np.float32(1), (channels, channels, 3, 3))
            pyconv.Conv2dPlan(f"ic{channels}oc{channels}_ih8kh3", weight)
        else:  # an output
            pyconv.conv2d(_zeros(side), np.ones((64, 1, 1, 1), np.float32), accuracy="exact")
    except MemoryError:
        return None
    return f"request {kind} of more than {least} bytes was met"


def _zeros(side: int) -> Floats:
    return np.zeros((1, 1, side, side), np.float32)


def repeated(work: Work) -> None:
    """Random networks run again and again without a byte more from the C library's allocator."""
    used = _allocated()
    for index in work.cases():
        model = pyconv.compile(drawn_graph(work.seed, index, 1), threads=Draw(index).pick((1, 2)))
        graph = model.graph
        x = Draw(index).reals(*graph.value(graph.inputs[0])[2])
        out = [np.empty(shape, np.float32) for shape in model.output_shapes.values()]
        for _ in range(3):
            model.run(x, out=out)
        grown: list[int] = []
        while len(grown) < 3 and (not grown or grown[-1] > 0):  # a thread may wake up for the first time
            before = used()
            for _ in range(20):
                model.run(x, out=out)
            grown.append(used() - before)
        if grown[-1] > 0:
            raise Broken(f"graph {index}: {grown} bytes more after 20 runs each")
        work.count("networks run 20 times")


def _allocated() -> Any:
    """A function: bytes that are in use of the C library's allocator."""

    class Info(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in
                    "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]  # fmt: skip

    mallinfo = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo is None:
        raise Skipped("needs glibc's mallinfo2")
    mallinfo.restype = Info

    def used() -> int:
        found = mallinfo()
        return int(found.uordblks) + int(found.hblkhd)

    return used
