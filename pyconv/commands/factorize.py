"""study factorize: what convolutions cost when they are taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pyconv.commands.options import POSITIVE, model_options, plainly, shapes_of

_OUT = click.Path(dir_okay=False, path_type=Path)
_OF_METHODS = ("tolerance", "energy", "budget", "layers", "data", "no_fit", "only_faster", "output")
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
@click.argument("subject", required=False)
@model_options
@click.option("--groups", type=POSITIVE, help="Of the grouped kind.  [default: 4, 8, 2 or 3]")
@click.option("--expansion", type=POSITIVE, default=6, help="Of the inverted residual.")
@click.option("--reduction", type=POSITIVE, default=4, help="Of the bottleneck.")
@click.option("--squeeze", type=POSITIVE, default=16, help="Of the squeeze-excite.")
@click.option("--no-tune", is_flag=True, help="Take the algorithms that the planner expects to be fastest.")
@click.option("--against", help="Another network, to be set beside this one layer by layer.")
@click.option("--method", type=_METHODS, help="Take the trained weights of a network apart.")
@click.option("--rank", type=_Rank(), help="Of two passes, or of a method's chains; OUTxIN for tucker2.")
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
    subject: str | None,
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    **asked: Any,
) -> None:
    """What the convolutions of SUBJECT cost when they are taken apart.

    SUBJECT is a layer, as ic64oc64_ih56kh3ph1; a model file, an ONNX file or a network of `pyconv zoo`; without
    one, the lectures' table of one layer and that of MobileNet's body beside full convolutions are measured.

    A layer is set beside all kinds of cheaper ones, a network's layers beside those that could stand in their
    place. With --method, and --rank, --tolerance, --energy or --budget, the trained weights of a network are
    approximated by chains of cheaper convolutions, and the new network is run beside the old one.
    """
    from pyconv.commands import lab, source

    options = {"width": width, "num_classes": num_classes}

    def wanted(name: str) -> source.Wanted:
        own = {} if Path(name).is_file() else options
        return source.Wanted(name, weights, shapes_of(input_shape), threads, accuracy, own)

    if asked["method"] is not None:
        if subject is None:
            raise ValueError("SUBJECT: expected a network for --method")
        _approximate(wanted(subject), asked)
        return
    refused = [name for name in _OF_METHODS if asked[name] not in (None, (), False)]
    if refused:
        raise ValueError(f"--{refused[0].rstrip('s').replace('_', '-')}: expected --method too")
    rank = asked["rank"]
    if rank is not None and len(rank) != 1:
        raise ValueError(f"--rank: expected one number for two passes, got {'x'.join(map(str, rank))}")
    asked["rank"] = rank[0] if rank else None
    lab.run(subject, wanted, asked, threads or 1)


def _approximate(wanted: Any, asked: dict[str, Any]) -> None:
    from pyconv.commands import approximation

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
