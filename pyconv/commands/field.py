"""study field: what an output sees, by measurement."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from pyconv.commands.options import POSITIVE, console, model_options, plainly, shapes_of

_OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("model")
@model_options
@click.option("--layer", "names", multiple=True, help="May be repeated.  [default: all convolutions]")
@click.option("--data", help="Pictures to take gradients at, as for study factorize.  [default: noise]")
@click.option("--samples", type=POSITIVE, default=4, help="How many of them.")
@click.option("--plot", type=_OUT, help="Draw the last of the layers there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@plainly
def field(
    model: str,
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    names: tuple[str, ...],
    data: str | None,
    samples: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """How much each pixel counts for the outputs of MODEL's layers.

    For each layer, beside the receptive field that the kernels' sizes give: how much of it matters, by the
    gradient of the output in the middle with respect to the input.
    """
    from pyconv.commands import approximation, source
    from pyconv.study import effective_field, rewrite

    options = {"width": width, "num_classes": num_classes}
    wanted = source.Wanted(model, weights, shapes_of(input_shape), threads, accuracy, options)
    found = source.find(dataclasses.replace(wanted, compile={"without": rewrite.fusions()}))
    pictures = None if data is None else approximation.inputs(found, data, samples)
    graph = rewrite.plain(found.model)
    known = effective_field.layers(graph)
    chosen = names or tuple(conv.name for conv in rewrite.convolutions(graph) if conv.name in known)
    fields = []
    for name in chosen:
        click.echo(f"{found.name}: {name}", err=True)
        fields.append(
            effective_field.effective_field(found.model, layer=name, pictures=pictures, samples=samples)
        )
    if not fields:
        raise ValueError(f"{found.name}: expected a convolution whose output has rows and columns")
    if as_json:
        told = {"model": found.name, "fields": [f.as_dict() for f in fields]}
        click.echo(json.dumps(told, indent=1))
    else:
        from pyconv.commands.factorize_tables import fields_table

        out = console()
        out.print(fields_table(found.name, fields), highlight=False)
        out.print(fields[-1].sentence, style="bold", highlight=False)
    if plot is not None:
        from pyconv.study import field_plot

        field_plot.draw(fields[-1], plot)
        if not as_json:
            click.echo(f"Written: {plot}")
