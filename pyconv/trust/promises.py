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
