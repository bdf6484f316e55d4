"""explain, zoo and convert."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from pyconv.commands import source
from pyconv.commands.options import FILE, console, model_options, plainly, shapes_of
from pyconv.preprocess import recipe


@click.command()
@click.argument("model")
@model_options
@click.option("--profile", is_flag=True, help="Also run it, and measure every layer.")
@click.option("--all", "everything", is_flag=True, help="Name every layer in every list.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@plainly
def explain(
    model: str,
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    profile: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """What runs for each layer of MODEL, and why.

    MODEL is a model file, an ONNX file or a network of `pyconv zoo`. Layer by layer: output, how many
    pixels of the input it sees, parameters, MACs, bytes moved, algorithm and kernel, and where its output
    lies in the arena during which steps; then the fusions made, the algorithms refused, and those that
    would have cost more.
    """
    from pyconv.explain import explain as explained

    found = source.find(
        source.Wanted(
            model,
            weights,
            shapes_of(input_shape),
            threads,
            accuracy,
            {"width": width, "num_classes": num_classes},
        )
    )
    peak = None
    if profile:
        from pyconv.study import machine

        threads = max((step["threads"] for step in found.model.describe()["steps"]), default=1)
        peak = machine.fma_peak(found.model.options.max_isa, threads=threads)
    document = explained(found.model, profile=profile, peak_gflops=peak)
    if peak is not None:
        document["peak_gflops"] = peak
    if as_json:
        click.echo(json.dumps({"model": found.name, **document}, indent=1))
        return
    from pyconv.commands.tables import explained as rendered

    out = console(width=240)
    out.print(rendered(document, found.name, everything=everything, width=out.width), highlight=False)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@plainly
def zoo(as_json: bool) -> None:
    """The networks of the zoo: parameters, multiply-adds, input and paper."""
    rows = zoo_rows()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    from pyconv.commands.tables import zoo_table

    console().print(zoo_table(rows), highlight=False)


def zoo_rows() -> list[dict[str, Any]]:
    """Counted from the recorded graphs."""
    from pyconv import zoo as networks
    from pyconv.nn.module import trace

    rows = []
    for name in networks.names():
        entry = networks.entry(name)
        net = networks.create(name)
        for module in net.modules():
            for parameter in (*module._parameters.values(), *module._buffers.values()):
                if parameter is not None:  # memory that nobody touches
                    parameter._value = np.zeros(parameter.shape, parameter.dtype)
        graph = trace(net, {"input": entry.input_shape}).graph
        rows.append(
            {
                "name": name,
                "parameters": net.num_parameters(),
                "macs": sum(node["macs"] for node in graph.nodes()),
                "input_shape": list(entry.input_shape),
                "recipe": entry.recipe,
                "source": entry.source,
            }
        )
    return rows


@click.command()
@click.argument("src")
@click.argument("dst", type=click.Path(dir_okay=False, path_type=Path))
@model_options
@click.option("--recipe", "recipe_name", help="What its pictures go through: imagenet, cifar10, ...")
@click.option("--labels", type=FILE, help="Names of the classes, one a line, to be kept in the file.")
@click.option("--pictures", is_flag=True, help="The model shall take uint8 pictures, by its recipe.")
@click.option("--tune", is_flag=True, help="Measure the algorithms of each layer on this machine.")
@plainly
def convert(
    src: str,
    dst: Path,
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    recipe_name: str | None,
    labels: Path | None,
    pictures: bool,
    tune: bool,
) -> None:
    """Writes the network SRC as a model file DST.

    SRC is an ONNX file, a model file, or a network of `pyconv zoo` with --weights. The model file holds
    the weights, the graph after the passes, and the recipe and labels if there are any.
    """
    from pyconv.formats import load_labels, model_file

    given = shapes_of(input_shape)
    compile: dict[str, Any] = {"tune": True} if tune else {}
    options = {"width": width, "num_classes": num_classes}
    wanted = source.Wanted(src, weights, given, threads, accuracy, options, compile, random_weights=False)
    found = source.find(wanted)
    if recipe_name is not None:
        found = dataclasses.replace(found, recipe=recipe(recipe_name))
    if found.recipe is not None:
        found = dataclasses.replace(found, recipe=source.fitted_recipe(found.recipe, found.model))
    if labels is not None:
        found = dataclasses.replace(found, labels=load_labels(labels, found.classes))
    if pictures:
        if found.recipe is None:
            raise ValueError("--pictures: expected --recipe too")
        wanted = dataclasses.replace(wanted, compile={**compile, "image_input": found.recipe})
        found = dataclasses.replace(found, model=source.find(wanted).model)
    model_file.save(dst, found.model.graph, source.metadata(found))
    size = dst.stat().st_size
    click.echo(f"{dst}: {size:,} bytes, {found.model!r}")
