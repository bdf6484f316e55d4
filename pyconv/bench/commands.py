"""`pyconv bench`: kernels, layers, networks, compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pyconv.bench import compare as comparing
from pyconv.bench import suite
from pyconv.bench.harness import Options
from pyconv.bench.result import OURS, Case, Result, load
from pyconv.commands.options import FILE, POSITIVE, console, engines, plainly
from pyconv.study.units import percent, quantity, times

F = TypeVar("F", bound=Callable[..., Any])
_OUT = click.Path(dir_okay=False, path_type=Path)
_STYLE = {comparing.SLOWER: "red", comparing.FASTER: "green"}


@click.group()
def bench() -> None:
    """Benchmarks: kernels, layers and networks, and what changed between two results.

    Every result is checked before it is timed. What is compared takes turns in the same rounds, beside the FMA
    peak of this machine.
    """


def _measuring(command: F) -> F:
    """Options of all three suites."""
    for option in reversed(
        (
            click.option("--rounds", type=POSITIVE, default=12, help="Interleaved rounds of a pass."),
            click.option("--passes", type=POSITIVE, default=3, help="Times through the suite."),
            click.option("--sample-ms", type=click.FloatRange(min=0.01), default=0.8, help="Of one round."),
            click.option("--json", "path", type=_OUT, help="Write every round there, for `compare`."),
            click.option(
                "--quick", is_flag=True, help="One pass of three rounds: a look, not a measurement."
            ),
        )
    ):
        command = option(command)
    return command


@bench.command()
@click.argument("families", nargs=-1)
@_measuring
@plainly
def kernels(families: tuple[str, ...], **measuring: Any) -> None:
    """Every row of `pyconv kernels` alone, or those of some FAMILIES."""
    from pyconv.bench.kernels import jobs

    _run("kernels", jobs(families), 1, **measuring)


@bench.command()
@click.argument("shapes", nargs=-1)
@click.option("--peers", help="Engines to run beside, comma between; `all` for those that are installed.")
@_measuring
@plainly
def layers(shapes: tuple[str, ...], peers: str | None, **measuring: Any) -> None:
    """The convolutions of some SHAPES, by default of all: mobilenet_v2, resnet50, tails, one_pixel, ..."""
    from pyconv.bench.layers import jobs

    _run("layers", jobs(shapes, engines(peers)), 1, **measuring)


@bench.command()
@click.argument("names", nargs=-1)
@click.option("--peers", help="Engines to run beside, comma between; `all` for those that are installed.")
@click.option("--threads", type=POSITIVE, default=1)
@click.option("--batch", type=POSITIVE, default=1)
@click.option("--accuracy", type=click.Choice(["fast", "exact"]), default="fast")
@_measuring
@plainly
def networks(
    names: tuple[str, ...], peers: str | None, threads: int, batch: int, accuracy: str, **measuring: Any
) -> None:
    """Whole networks with random weights: NAMES, by default all eleven."""
    from pyconv.bench.networks.engines import Setup
    from pyconv.bench.networks.suite import jobs

    _run("networks", jobs(names, engines(peers), Setup(batch, threads, accuracy)), threads, **measuring)


@bench.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@click.option("--confidence", type=float, default=comparing.CONFIDENCE, help="Of each median's interval.")
@click.option("--per-cycle", is_flag=True, help="Set times in proportion to the FMA peak of their passes.")
@click.option("--tolerance", type=click.FloatRange(min=0), default=0.0, help="Of --check, in percent.")
@click.option("--check", is_flag=True, help="Exit with 1 where a case of ours became slower beyond noise.")
@click.option("--all", "everything", is_flag=True, help="Also the cases without a difference.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@plainly
def compare(
    old: Path, new: Path, confidence: float, per_cycle: bool, tolerance: float, check: bool,
    everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """What changed from OLD to NEW, two results of the same suite, beyond noise.

    Each median has an interval that holds whatever the distribution of the rounds; where the intervals of old
    and new overlap, no difference is called. The ratio is new over old: 1.10 took a tenth longer.
    """
    found = comparing.compare(load(old), load(new), confidence=confidence, per_cycle=per_cycle)
    if not found.changes:
        raise ValueError(f"{old}, {new}: expected a case that both have, got none")
    worse = [change for change in found.changes if change.engine == OURS and change.beyond(tolerance / 100)]
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=1))
    else:
        _show(found, everything)
    if check and worse:
        raise click.ClickException(f"{len(worse)} of {len(found.changes)} cases became slower")


def _run(
    name: str, jobs: Sequence[suite.Job], threads: int, rounds: int, passes: int, sample_ms: float,
    path: Path | None, quick: bool,
) -> None:  # fmt: skip
    suite.writable(path)
    if quick:
        rounds, passes = min(rounds, 3), 1
    opts = Options(rounds=rounds, sample_seconds=sample_ms * 1e-3, threads=threads)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as bars:  # fmt: skip
        task = bars.add_task(name, total=passes * len(jobs))

        def on_job(job: str) -> None:
            bars.update(task, description=job)
            bars.advance(task)

        found = suite.run(name, jobs, opts, passes=passes, on_job=on_job)
    out = console()
    out.print(_table(found), highlight=False)
    for note in found.notes:
        out.print(note, style="dim", highlight=False)
    out.print(_conditions(found), style="dim", highlight=False)
    if path is not None:
        found.save(path)
        click.echo(f"Written: {path}")


def _table(found: Result) -> Table:
    """A row for each case of ours, the peers beside it."""
    by_name: dict[str, dict[str, Case]] = {}
    for case in found.cases:
        by_name.setdefault(case.name, {})[case.engine] = case
    others = list(dict.fromkeys(case.engine for case in found.cases if case.engine != OURS))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in (found.suite, "how"):
        table.add_column(head, no_wrap=True)
    for head in (
        "best",
        "median",
        "interval",
        "GFLOP/s",
        "of peak",
        *others,
        *(["times as fast"] if others else []),
    ):
        table.add_column(head, justify="right", no_wrap=True)
    for name, timed in by_name.items():
        own = timed[OURS]
        cells = [quantity(own.minimum, "s"), quantity(own.median, "s"), _spread(own), *_speed(own)]
        cells += [quantity(timed[name].median, "s") if name in timed else "" for name in others]
        if others:
            best = min((timed[name].median for name in others if name in timed), default=None)
            cells.append(times(best / own.median) if best else "")
        table.add_row(name, own.how, *cells)
    return table


def _speed(case: Case) -> list[str]:
    rate, share = case.gflops, case.of_peak
    return [f"{rate:.1f}" if rate else "", percent(share) if share else ""]


def _spread(case: Case) -> str:
    found = comparing.interval(case)
    if found.high == float("inf"):
        return "-"
    return f"{100 * (found.low / case.median - 1):+.0f} {100 * (found.high / case.median - 1):+.0f} %"


def _conditions(found: Result) -> str:
    env = found.environment
    words = [f"{env['cpu']}", f"{env['isa']}", f"{env['threads']} thread{'s' * (env['threads'] != 1)}"]
    if env.get("peak_gflops"):
        words.append(f"FMA peak {env['peak_gflops']:.0f} GFLOP/s")
    if env.get("clock_ghz"):
        words.append("{low:.2f} to {high:.2f} GHz, median {median:.2f}".format(**env["clock_ghz"]))
    if env.get("steal_share") is not None:
        words.append(f"steal {percent(env['steal_share'])}")
    if env.get("load_after") is not None:
        words.append(f"load {env['load_after']:.1f}")
    return ", ".join([*words, f"commit {env['commit']}", f"compiled by {env['compiler']}"])


def _show(found: comparing.Comparison, everything: bool) -> None:
    out = console(width=140)
    for warning in found.warnings:
        out.print(f"Mind: {warning}", style="yellow", highlight=False)
    wanted = [
        comparing.SLOWER,
        comparing.FASTER,
        *([comparing.SAME, comparing.UNKNOWN] if everything else []),
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("case", "engine"):
        table.add_column(head, no_wrap=True)
    for head in ("old", "new", "new / old", "between"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    rows = [change for verdict in wanted for change in found.of(verdict)]
    for change in [*rows, *([found.mean] if found.mean else [])]:
        known = change.verdict != comparing.UNKNOWN
        between = f"{change.low:.3f} and {change.high:.3f}" if known else ""
        table.add_row(
            change.name, change.engine, quantity(change.old, "s"), quantity(change.new, "s"),
            f"{change.ratio:.3f}", between, change.verdict, style=_STYLE.get(change.verdict, ""),
        )  # fmt: skip
    out.print(table, highlight=False)
    counts = ", ".join(
        f"{len(found.of(verdict))} {verdict}"
        for verdict in (comparing.SLOWER, comparing.FASTER, comparing.SAME, comparing.UNKNOWN)
    )
    out.print(f"{len(found.changes)} cases: {counts}.", highlight=False)
    for which, missing in (("old", found.only_old), ("new", found.only_new)):
        if missing:
            out.print(f"Only in {which}: {', '.join(missing)}", style="dim", highlight=False)
