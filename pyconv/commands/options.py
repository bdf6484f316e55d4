"""What the commands share: options, and errors of one sentence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
POSITIVE = click.IntRange(min=1)


class ShapeType(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """1x3x224x224, or NAME=1x3x224x224 for one of several inputs."""

    name = "NxCxHxW"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        name, _, text = str(value).rpartition("=")
        sizes = text.lower().split("x")
        if not all(size.isdigit() for size in sizes):
            self.fail(f"expected a shape such as 1x3x224x224, got {value!r}", param, ctx)
        return name, tuple(int(size) for size in sizes)


def shapes_of(given: tuple[tuple[str, tuple[int, ...]], ...]) -> Any:
    """What `compile` takes as input_shape: None, a shape, or shapes by name."""
    if not given:
        return None
    if len(given) == 1 and not given[0][0]:
        return given[0][1]
    if any(not name for name, _ in given):
        raise ValueError("--input-shape: expected NAME=SHAPE for each of several inputs")
    return dict(given)


def model_options(command: F) -> F:
    """Those that say which network it is, and how it is compiled."""
    for option in reversed(
        (
            click.option("--weights", type=FILE, help="Weights of a network of the zoo."),
            click.option(
                "--width", type=float, help="Factor of the channels, where the zoo's network has one."
            ),
            click.option("--num-classes", type=POSITIVE, help="Of a network of the zoo."),
            click.option(
                "--input-shape",
                type=ShapeType(),
                multiple=True,
                help="Shape of the input, where the file leaves it open; NAME=SHAPE for several.",
            ),
            click.option("--threads", type=POSITIVE, help="At most so many.  [default: 1, or as saved]"),
            click.option(
                "--accuracy",
                type=click.Choice(["fast", "exact"]),
                help="exact: the same bits everywhere.  [default: fast, or as saved]",
            ),
        )
    ):
        command = option(command)
    return command


def plainly(command: F) -> F:
    """Errors of values and files become one sentence and exit code 1."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        except OSError as error:
            raise click.ClickException(
                f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
            ) from error
        except (ValueError, TypeError) as error:
            raise click.ClickException(str(error)) from error
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError):
                raise
            raise click.ClickException(str(error)) from error

    return wrapped  # type: ignore[return-value]


def engines(wanted: str | None) -> Sequence[str]:
    """Names of other engines from "torch,ncnn", or "all" that are installed."""
    from pyconv.bench import peers

    if wanted is None:
        return ()
    if wanted == "all":
        return tuple(name for name in peers.NAMES if peers.load(name) is not None)
    names = [name for name in wanted.split(",") if name]
    unknown = [name for name in names if name not in peers.NAMES]
    if unknown:
        raise ValueError(f"--peers: expected some of {', '.join(peers.NAMES)}, got {', '.join(unknown)}")
    missing = [name for name in names if peers.load(name) is None]
    if missing:
        raise ValueError(f"--peers: {', '.join(missing)} can't be imported here")
    return names


def console(width: int = 200) -> Console:
    """Standard output; `width` where it is no terminal, so that files and pipes keep whole rows."""
    made = Console()
    return made if made.is_terminal else Console(width=width)
