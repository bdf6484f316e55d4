"""The lab on the command line: a layer, a network, or the two pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import RenderableType

import pyconv
from pyconv.commands import lab_tables, source
from pyconv.commands.options import console
from pyconv.study import lab, lab_body, lab_network

PAGE = "ic128oc128_ih56kh3ph1"
"""The layer of the first page."""
BODY = ("mobilenet_v1", "mobilenet_v1_full")
"""The networks of the second."""
Wanted = Callable[[str], source.Wanted]


def run(subject: str | None, wanted: Wanted, asked: Mapping[str, Any], threads: int) -> None:
    """Measures and prints, draws where a picture is asked for."""
    if subject is None:
        document, shown, drawn = _pages(wanted, asked, threads)
    elif asked["against"] is not None:
        document, shown, drawn = _body((subject, asked["against"]), wanted, asked)
    elif _is_problem(subject):
        document, shown, drawn = _layer(subject, asked, threads)
    else:
        document, shown, drawn = _network(wanted(subject), asked, threads)
    if asked["as_json"]:
        click.echo(json.dumps(document, indent=1))
    else:
        out = console(width=230)
        for part in shown:
            out.print(part, highlight=False)
    if asked["plot"] is not None:
        drawn(asked["plot"])
        if not asked["as_json"]:
            click.echo(f"Written: {asked['plot']}")


Result = tuple[dict[str, Any], list[RenderableType], Callable[[Path], None]]


def _is_problem(subject: str) -> bool:
    """Whether it is meant for a layer's line, right or wrong."""
    known = Path(subject).exists() or subject in pyconv.zoo.names()
    return not known and "_ih" in subject


def _knobs(asked: Mapping[str, Any]) -> lab.Knobs:
    return lab.Knobs(**{k: asked[k] for k in ("groups", "expansion", "reduction", "squeeze", "rank")})


def _say(text: str) -> None:
    click.echo(text, err=True)


def _layer(problem: str, asked: Mapping[str, Any], threads: int) -> Result:
    found = lab.run(
        problem,
        knobs=_knobs(asked),
        threads=threads,
        seconds=asked["seconds"],
        tune=not asked["no_tune"],
        on_step=_say,
    )

    def draw(path: Path) -> None:
        from pyconv.study import factorize_plot

        factorize_plot.layer(found, path)

    return found.as_dict(), [lab_tables.lectures(found), lab_tables.kinds(found)], draw


def _network(wanted: source.Wanted, asked: Mapping[str, Any], threads: int) -> Result:
    origin = source.find(wanted)
    found = lab_network.run(
        origin.model,
        name=origin.name,
        knobs=_knobs(asked),
        threads=threads,
        seconds=asked["seconds"],
        tune=not asked["no_tune"],
        on_step=_say,
    )

    def draw(path: Path) -> None:
        from pyconv.study import factorize_plot

        factorize_plot.network(found, path)

    return found.as_dict(), [lab_tables.network(found)], draw


def _body(names: tuple[str, str], wanted: Wanted, asked: Mapping[str, Any]) -> Result:
    import dataclasses

    sides = [wanted(name) for name in names]
    planned = [source.find(side) for side in sides]
    apart = [source.find(dataclasses.replace(side, compile={"without": lab_body.APART})) for side in sides]
    found = lab_body.run(
        [f.model for f in planned],
        [f.model for f in apart],
        [f.name for f in planned],
        seconds=asked["seconds"],
    )

    def draw(path: Path) -> None:
        from pyconv.study import factorize_plot

        factorize_plot.body(found, path)

    return found.as_dict(), [lab_tables.body(found)], draw


def _pages(wanted: Wanted, asked: Mapping[str, Any], threads: int) -> Result:
    """One layer of the lectures' table, then MobileNet's body."""
    first, shown, _ = _layer(PAGE, asked, threads)
    second, more, draw = _body(BODY, wanted, asked)
    return {"lectures": first, "body": second}, [*shown, *more], draw
