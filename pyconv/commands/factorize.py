"""study factorize: what convolutions cost when they are taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pyconv.commands.options import POSITIVE, model_options, plainly, shapes_of

_OUT = click.Path(dir_okay=False, path_type=Path)
_METHODS = click.Choice(["spatial", "tucker2", "cp", "depthwise", "best"])


class _Rank(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """8, or 16x8 for the two of tucker2."""

    name = "R[xR]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        ranks = str(value).lower().split("x")
        if not 1 <= len(ranks) <= 2 or not all(r.isdigit() and int(r) for r in ranks):
            self.fail(f"expected a rank such as 8, or 16x8 for tucker2, got {value!r}", param, ctx)
        return tuple(int(r) for r in ranks)


@click.command()
@click.argument("subject")
@model_options
@click.option("--method", type=_METHODS, help="Take the trained weights of a network apart.")
@click.option("--rank", type=_Rank(), help="The rank of a method's chains; OUTxIN for tucker2.")
@click.option("--tolerance", type=float, help="Or: the relative error on the weights of a layer.")
@click.option("--energy", type=float, help="Or: the share of their squared norm that is kept.")
@click.option("--budget", type=float, help="Or: the share of the convolutions' cost that shall be left.")
@click.option(
    "--save",
    type=click.Choice(["macs", "time"]),
    default="macs",
    help="What cost is; time as the planner estimates it.",
)
@click.option(
    "--layer", "layers", multiple=True, help="One that may change; may be repeated.  [default: all]"
)
@click.option("--data", help="Labelled pictures: npz, MNIST's files, a folder of them, or digits.")
@click.option("--samples", type=POSITIVE, default=1000, help="Pictures to test on, from the front.")
@click.option("--calibrate", type=POSITIVE, default=256, help="Pictures to fit on, from the end.")
@click.option("--no-fit", is_flag=True, help="Leave the chains as the weights alone have them.")
@click.option("--only-faster", is_flag=True, help="Keep the chains that were measured to be faster.")
@click.option("--output", type=_OUT, help="Write the new network there, as a model file.")
@click.option("--plot", type=_OUT, help="Draw a picture there.")
@click.option("--seconds", type=click.FloatRange(min=0.0), default=5.0, help="About how long to measure.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@plainly
def factorize(
    subject: str,
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    **asked: Any,
) -> None:
    """What the convolutions of SUBJECT cost when they are taken apart.

    SUBJECT is a model file, an ONNX file or a network of `pyconv zoo`. With --method, and --rank, --tolerance,
    --energy or --budget, its trained weights are approximated by chains of cheaper convolutions, and the new
    network is run beside the old one.
    """
    from pyconv.commands import approximation, source

    options = {"width": width, "num_classes": num_classes}
    wanted = source.Wanted(subject, weights, shapes_of(input_shape), threads, accuracy, options)
    if asked["method"] is None:
        raise ValueError("--method: expected one of spatial, tucker2, cp, depthwise, best")
    made = approximation.make(wanted, approximation.Asked(**{k: asked[k] for k in approximation.FIELDS}))
    if asked["as_json"]:
        click.echo(json.dumps(made.as_dict(), indent=1))
    else:
        approximation.show(made)
    if asked["plot"] is not None:
        from pyconv.study import factorize_plot

        factorize_plot.approximation(made.found, made.gains, made.sentence, asked["plot"])
    if asked["output"] is not None:
        size = approximation.save(made, asked["output"])
        if not asked["as_json"]:
            click.echo(f"Written: {asked['output']}, {size:,} bytes")
