"""What pyconv promises, in the order of docs/reliability.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """A sentence, and the function of this package that shows it."""

    name: str
    says: str
    runs: str
    """module:function, taking a `pyconv.trust.work.Work`."""
    share: float
    """Of the time, beside the other promises' shares."""
    replays: bool = False
    """Whether single cases can be run again by their number."""


PROMISES = (
    Promise(
        "problems",
        "a convolution gives the right numbers, and exact mode one result, whatever computes them",
        "pyconv.trust.problem_checks:run",
        8.0,
        replays=True,
    ),
    Promise(
        "graphs",
        "a network gives the right numbers, and in exact mode the same bits, whatever compiles it",
        "pyconv.trust.graph_checks:run",
        4.0,
        replays=True,
    ),
    Promise(
        "specials",
        "NaN, infinities, -0 and subnormals go by the written rules in every operation",
        "pyconv.trust.special_checks:run",
        0.5,
    ),
    Promise(
        "subnormals",
        "what subnormal inputs cost beside normal ones is measured (a figure: nothing fails by it)",
        "pyconv.trust.subnormal_times:run",
        0.5,
    ),
    Promise(
        "guard",
        "no kernel reads or writes beside its operands",
        "pyconv.trust.guard_checks:run",
        1.0,
        replays=True,
    ),
    Promise(
        "shapes",
        "memory stays flat over ever new input shapes",
        "pyconv.trust.memory_checks:shapes",
        1.0,
    ),
    Promise(
        "inferences",
        "memory stays flat over many inferences",
        "pyconv.trust.memory_checks:inferences",
        1.0,
    ),
    Promise(
        "repeated",
        "a network that runs again takes nothing from the allocator",
        "pyconv.trust.memory_checks:repeated",
        0.5,
        replays=True,
    ),
    Promise(
        "unmet",
        "memory that can't be had is a MemoryError, and the process goes on",
        "pyconv.trust.memory_checks:unmet",
        0.5,
    ),
    Promise(
        "callers",
        "16 Python threads may call one model, or 16",
        "pyconv.trust.thread_checks:callers",
        0.5,
    ),
    Promise(
        "processes",
        "processes may be made by fork, forkserver and spawn, before the first use, after, and meanwhile",
        "pyconv.trust.thread_checks:processes",
        0.5,
    ),
    Promise(
        "interrupt",
        "Ctrl-C ends a program that runs a model in a loop, at the next run",
        "pyconv.trust.thread_checks:interrupted",
        0.5,
    ),
    Promise(
        "pool",
        "pools of threads start and stop without a deadlock",
        "pyconv.trust.thread_checks:pool_cycles",
        1.0,
    ),
    Promise(
        "affinity",
        "no thread runs where the process may not",
        "pyconv.trust.thread_checks:placed",
        0.25,
    ),
    Promise(
        "no-gil",
        "a Python without the GIL gets the same bits",
        "pyconv.trust.thread_checks:free_threaded",
        0.25,
    ),
)


def find(name: str) -> Promise:
    """By its name.

    >>> find("problems").replays
    True
    """
    for promise in PROMISES:
        if promise.name == name:
            return promise
    names = ", ".join(p.name for p in PROMISES)
    raise ValueError(f"promise: expected one of {names}, got {name!r}")
