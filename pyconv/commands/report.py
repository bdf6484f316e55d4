"""report: a network's study as a page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pyconv.commands import source
from pyconv.commands.options import engines, model_options, plainly, shapes_of

_OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("model")
@model_options
@click.option("--html", "page_path", type=_OUT, help="Where the page goes.  [default: MODEL.html]")
@click.option("--json", "json_path", type=_OUT, help="Write the figures there too.")
@click.option("--measure", is_flag=True, help="Run it, and the algorithms that it did not take.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, help="About how long that may take.")
@click.option("--ladder", is_flag=True, help="Also one layer from Python loops to Winograd, some seconds.")
@click.option("--peers", help="With --measure: engines to run beside, comma between, or `all` that are installed.")
@click.option(
    "--against", help="Another network that does the same, to be compared: MAC by MAC, time by time."
)
@plainly
def report(
    model: str,
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    page_path: Path | None,
    json_path: Path | None,
    measure: bool,
    seconds: float,
    ladder: bool,
    peers: str | None,
    against: str | None,
) -> None:
    """Why each layer of MODEL is as fast as it is, as one HTML page.

    The page needs no other file and no network: the roofline of this machine with every layer on it,
    predicted beside measured times, what costs time, the arena, every algorithm's verdict, and one sentence
    for each layer. MODEL is a model file, an ONNX file or a network of `pyconv zoo`.
    """
    from pyconv.study import network, page

    shape, options = shapes_of(input_shape), {"width": width, "num_classes": num_classes}

    def studied(wanted: source.Wanted, ladder: bool = False) -> dict[str, object]:
        found = source.find(wanted)

        def say(part: str) -> None:
            click.echo(f"{found.name}: {part}", err=True)

        return network.study(
            found.model, name=found.name, measure=measure, seconds=seconds, ladder=ladder, on_step=say
        ).as_dict()

    if peers is not None and not measure:
        raise ValueError("--peers: expected --measure too")
    wanted = source.Wanted(model, weights, shape, threads, accuracy, options)
    names = engines(peers)
    document = studied(wanted, ladder)
    if names:
        document["peers"] = _beside(wanted, names, seconds)
    if ladder and not document["ladder"]:
        click.echo(f"{model}: no dense layer that the ladder could take", err=True)
    other = None
    if against is not None:
        own = {} if Path(against).is_file() else options
        other = studied(source.Wanted(against, None, shape, threads, accuracy, own))
    path = page_path or Path(f"{Path(model).stem}.html")
    page.render(document, other).save(path)
    if json_path is not None:
        json_path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    click.echo(document["sentence"])
    click.echo(f"Written: {path}{f', {json_path}' if json_path else ''}")


def _beside(wanted: source.Wanted, names: Sequence[str], seconds: float) -> list[dict[str, object]]:
    """The network in other engines, which are given its graph before anything is fused."""
    from pyconv.bench.networks import beside

    found = source.find(wanted)
    plain = source.find(dataclasses.replace(wanted, compile={"without": beside.without()}))

    def say(part: str) -> None:
        click.echo(f"{found.name}: {part}", err=True)

    return beside.compare(found.model, plain.model, names, seconds=seconds, on_step=say)
