"""Whole networks as jobs: the same graph and weights in every engine."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from .. import peers
from ..peers import Runner
from ..suite import Job, fitting
from . import NETWORKS, Network, ours
from .engines import Setup, ready, write
from .graph import Unsupported


def jobs(wanted: Sequence[str] = (), beside: Sequence[str] = (), setup: Setup | None = None) -> list[Job]:
    """These networks, or all, with the peers that can run them."""
    how = setup or Setup()
    return [_job(NETWORKS[name], tuple(beside), how) for name in fitting(list(NETWORKS), wanted, "networks")]


def _job(network: Network, beside: Sequence[str], setup: Setup) -> Job:
    return Job(network.name, partial(engines, network, beside, setup), setup.isa, setup.threads)


def engines(network: Network, beside: Sequence[str], setup: Setup) -> tuple[int, dict[str, Runner]]:
    """Every engine that can run the network, its result compared with ours in exact mode."""
    found: dict[str, Runner] = {}
    installed = [name for name in beside if peers.load(name) is not None]
    with tempfile.TemporaryDirectory() as folder:
        task = write(network, setup, installed, Path(folder))
        for name in (ours.NAME, *installed):
            try:
                found[name] = ready(name, task, setup).runner
            except (Unsupported, peers.WrongResult):
                if name == ours.NAME:
                    raise
    return task.macs, found
