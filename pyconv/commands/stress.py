"""stress: shows the promises of docs/reliability.md on this machine."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pyconv.commands.options import POSITIVE, console, plainly
from pyconv.trust import run as trust
from pyconv.trust.promises import PROMISES, Promise, find

_LEAST = 0.05  # seconds, beside the start of a process
_NAMES = click.Choice([promise.name for promise in PROMISES])


@click.command()
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
    help="How long, in all.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), help="Of the random cases.  [default: a new one, printed]"
)
@click.option("--only", type=_NAMES, multiple=True, help="This promise; several times for several.")
@click.option("--cases", type=POSITIVE, help="At most so many cases of each promise.")
@click.option("--replay", metavar="PROMISE:SEED:NUMBER", help="Run one case again, as a failure names it.")
@click.option("--list", "listing", is_flag=True, help="What is promised, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def stress(
    minutes: float,
    seed: int | None,
    only: tuple[str, ...],
    cases: int | None,
    replay: str | None,
    listing: bool,
    as_json: bool,
) -> None:
    """Shows what docs/reliability.md promises, on this machine.

    Each promise gets its share of the time and runs in a process of its own. The exit code is 1 where one was
    broken; a failure names its case, which --replay runs again.
    """
    if listing:
        _list(as_json)
        return
    if replay is not None:
        if only or seed is not None or cases is not None:
            raise ValueError("--replay: expected neither --only nor --seed nor --cases beside it")
        case = trust.Case.parse(replay)
        seed = case.seed
        outcomes = _run((find(case.promise),), seed, 60 * minutes, None, case.index)
    else:
        chosen = tuple(p for p in PROMISES if not only or p.name in only)
        seed = secrets.randbelow(2**32) if seed is None else seed
        outcomes = _run(chosen, seed, 60 * minutes, cases, None)
    if as_json:
        document = {"seed": seed, "machine": trust.machine(), "promises": [asdict(o) for o in outcomes]}
        click.echo(json.dumps(document, indent=1))
    else:
        _print(outcomes, seed)
    if any(outcome.kept is False for outcome in outcomes):
        raise SystemExit(1)


def _list(as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({promise.name: promise.says for promise in PROMISES}, indent=1))
        return
    for promise in PROMISES:
        console().print(f"[bold]{promise.name:12}[/] {promise.says}", highlight=False)


def _run(
    chosen: Sequence[Promise], seed: int, seconds: float, cases: int | None, number: int | None
) -> list[trust.Outcome]:
    outcomes = []
    bars = Progress(
        TextColumn("{task.description:12}"), BarColumn(), TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[figures]}"), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bars:
        tasks = {p.name: bars.add_task(p.name, total=1.0, start=False, figures="") for p in chosen}
        left = seconds
        for at, promise in enumerate(chosen):
            share = trust.shared_out(left, chosen[at:])[promise.name]
            share = max(_LEAST, share)  # what others left over counts, and what they took too much
            task = tasks[promise.name]
            bars.start_task(task)

            def follow(done: float, figures: dict[str, Any], task: Any = task) -> None:
                bars.update(task, completed=done, figures=figures_text(figures))

            outcome = trust.show(promise, seed, share, limit=cases, only=number, progress=follow)
            outcomes.append(outcome)
            left = max(0.0, left - outcome.seconds)
            bars.update(task, completed=1.0, figures=figures_text(outcome.figures))
            bars.stop_task(task)
    return outcomes


def figures_text(figures: dict[str, Any]) -> str:
    """One line."""
    return ", ".join(
        f"{value:,} {name}" if isinstance(value, int) else f"{name} {value}"
        for name, value in figures.items()
    )


_VERDICTS = {True: "[green]kept[/]", False: "[bold red]broken[/]", None: "[yellow]not shown[/]"}


def _print(outcomes: Sequence[trust.Outcome], seed: int) -> None:
    out = console()
    table = Table("promise", "", "figures", "s", box=None, pad_edge=False, header_style="bold")
    table.columns[3].justify = "right"
    for outcome in outcomes:
        figures = figures_text(outcome.figures) if outcome.kept is not None else outcome.text
        table.add_row(outcome.promise, _VERDICTS[outcome.kept], figures, f"{outcome.seconds:.1f}")
    out.print(table)
    for outcome in outcomes:
        if outcome.kept is False:
            out.print(f"\n{outcome.promise}: {outcome.text}", style="red", highlight=False, markup=False)
            if outcome.replay:
                out.print(f"again: pyconv stress --replay {outcome.replay}", highlight=False)
    where = trust.machine()
    out.print(
        f"seed {seed}; {where['cpu']}, {', '.join(where['isas'])}; Python {where['python']}",
        style="dim", highlight=False,
    )  # fmt: skip
