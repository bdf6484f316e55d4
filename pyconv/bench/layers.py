"""Convolution layers of the shape files, each beside the peers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pyconv.study.cost import convolution_cost

from . import ours, peers
from .peers import Runner
from .problems import Shape, operands, read_shapes, shape_file_names
from .result import OURS
from .suite import Job, fitting


def jobs(wanted: Sequence[str] = (), beside: Sequence[str] = ()) -> list[Job]:
    """The layers of these shape files, or of all, with the peers that are installed."""
    found = []
    for name in fitting(shape_file_names(), wanted, "shapes"):
        file = read_shapes(name)
        for shape in file.shapes:
            prepare = partial(ready, shape, file.isa, () if file.isa else tuple(beside))
            found.append(Job(f"{name}/{shape.name}", prepare, file.isa))
    return found


def ready(shape: Shape, isa: str | None, beside: Sequence[str]) -> tuple[int, dict[str, Runner]]:
    """Ours, its result compared with float64, and the quickest way of each peer, compared with ours. A cap of
    the instruction set does not hold for peers, so a capped file is run without."""
    p = shape.problem
    given = operands(p)
    plan = ours.plan_runner(p, given, max_isa=isa)
    plan.run()
    expected = plan.result().copy()
    ours.check_points(p, given, expected)
    runners = {OURS: plan}
    for name in beside:
        peer = peers.load(name)
        runner = peers.fastest(peer, p, given, expected) if peer else None
        if runner is not None:
            runners[name] = runner
    return convolution_cost(p).macs, runners
