"""The commands of `pyconv` that work on networks: run, explain, report, zoo, convert, study factorize, bench,
stress and verify."""

from __future__ import annotations

import click


def add_to(group: click.Group) -> None:
    """Adds them."""
    from pyconv.bench.commands import bench
    from pyconv.commands.factorize import factorize
    from pyconv.commands.field import field
    from pyconv.commands.networks import convert, explain, zoo
    from pyconv.commands.report import report
    from pyconv.commands.run import run
    from pyconv.commands.stress import stress
    from pyconv.commands.verify import verify
    from pyconv.study.commands import study

    for command in (run, explain, report, zoo, convert, bench, stress, verify):
        group.add_command(command)
    study.add_command(factorize)
    study.add_command(field)
