"""A network of the command line with its trained weights taken apart: made, measured, shown, written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.text import Text

import pyconv
from pyconv.commands import factorize_tables, source
from pyconv.commands.options import console
from pyconv.formats import model_file
from pyconv.study import accuracy, approximate_words, dataset, gains, rewrite
from pyconv.study import approximate as approximating
from pyconv.study import factorize as algebra


@dataclass(frozen=True)
class Asked:
    """Options of the command."""

    method: str
    rank: tuple[int, ...] | None = None
    tolerance: float | None = None
    energy: float | None = None
    budget: float | None = None
    save: str = "macs"
    layers: tuple[str, ...] = ()
    data: str | None = None
    samples: int = 1000
    calibrate: int = 256
    no_fit: bool = False
    only_faster: bool = False
    seconds: float = 5.0


FIELDS = [field.name for field in dataclasses.fields(Asked)]


@dataclass(frozen=True)
class Made:
    """What came of it. ``structure`` is that of all weights together."""

    origin: source.Found
    found: approximating.Approximation
    structure: algebra.Structure
    gains: gains.Gains | None
    accuracy: accuracy.Accuracy | None
    options: dict[str, Any]

    @property
    def sentence(self) -> str:
        return approximate_words.sentence(self.origin.name, self.found, self.gains, self.accuracy)

    @property
    def layer_sentences(self) -> list[str]:
        known = gains.by_name(self.gains)
        return [approximate_words.layer_sentence(layer, known.get(layer.name)) for layer in self.found.layers]

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.origin.name,
            "sentence": self.sentence,
            "sentences": self.layer_sentences,
            "structure": {"kernels": self.structure.kernels, "rank_one": self.structure.rank_one},
            **self.found.as_dict(),
            "gains": self.gains and self.gains.as_dict(),
            "accuracy": self.accuracy and self.accuracy.as_dict(),
        }


def make(wanted: source.Wanted, asked: Asked) -> Made:
    """Raises ValueError and OSError with what is wrong."""
    origin = source.find(dataclasses.replace(wanted, compile={"without": rewrite.fusions()}))
    pictures, labels, fitting = _pictures(origin, asked)
    rank = None if asked.rank is None else asked.rank[0] if len(asked.rank) == 1 else asked.rank
    found = approximating.approximate(
        origin.model,
        method=asked.method,
        rank=rank,
        tolerance=asked.tolerance,
        energy=asked.energy,
        budget=asked.budget,
        save=asked.save,
        layers=asked.layers or None,
        data=fitting,
        fit=not asked.no_fit,
        on_layer=lambda name: click.echo(f"{origin.name}: {name}", err=True),
    )
    given = {"threads": wanted.threads, "accuracy": wanted.accuracy}
    options = {key: value for key, value in given.items() if value is not None}
    measured = None
    if asked.seconds and found.layers:
        measured = gains.gains(found, seconds=asked.seconds, **options)
        if asked.only_faster:
            found = gains.faster(found, measured)
            measured = gains.gains(found, seconds=asked.seconds, **options)
    right = None
    if pictures is not None:
        right = accuracy.compared(
            pyconv.compile(found.original, **options), found.compile(**options), pictures, labels
        )
    return Made(origin, found, _structure(found), measured, right, options)


def _pictures(origin: source.Found, asked: Asked) -> tuple[Any, Any, Any]:
    """Inputs to test on with their labels, and inputs to fit on, of which none is among the former."""
    if asked.data is None:
        return None, None, None
    pictures = dataset.load(asked.data)
    if len(pictures) < 2:
        raise ValueError(f"--data: expected two pictures or more, got {len(pictures)}")
    fitting = min(asked.calibrate, len(pictures) // 2)
    tested = pictures.part(0, min(asked.samples, len(pictures) - fitting))
    last = pictures.part(len(pictures) - fitting, len(pictures))
    return _normalized(origin, tested), tested.labels, _normalized(origin, last)


def inputs(origin: source.Found, data: str, samples: int) -> Any:
    """The first pictures of a set as the network takes them."""
    return _normalized(origin, dataset.load(data).part(0, samples))


def _normalized(origin: source.Found, pictures: dataset.Dataset) -> Any:
    graph = origin.model.graph
    if [graph.value(id)[1] for id in graph.inputs] == ["uint8"]:  # the network scales them itself
        return pictures.images
    recipe = source.fitted_recipe(origin.recipe or source.guessed_recipe(origin), origin.model)
    if recipe.crop is not None and pictures.images.shape[1:3] != (recipe.crop, recipe.crop):
        height, width = pictures.images.shape[1:3]
        raise ValueError(f"--data: expected pictures of {recipe.crop}x{recipe.crop}, got {height}x{width}")
    return recipe.normalized(pictures.images)


def _structure(found: approximating.Approximation) -> algebra.Structure:
    kernels = alone = 0
    for conv in rewrite.convolutions(found.graph):
        if conv.problem.kh * conv.problem.kw > 1:
            own = algebra.structure(conv.weight, groups=conv.problem.g)
            kernels, alone = kernels + own.kernels, alone + own.rank_one
    return algebra.Structure(kernels, alone, {})


def show(made: Made) -> None:
    out = console()
    if made.found.layers:
        out.print(factorize_tables.approximation_table(made.found, made.gains), highlight=False)
    for line in made.layer_sentences:
        out.print(Text(line))
    for reason, names in _gathered(made.found.left).items():
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        out.print(Text(f"left as they are: {shown} ({reason})", style="dim"))
    if made.structure.kernels:
        out.print(Text(f"{approximate_words.structure_line(made.structure)}", style="dim"))
    out.print(Text(made.sentence, style="bold"))


def _gathered(left: Any) -> dict[str, list[str]]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in left.items():
        by_reason.setdefault(reason, []).append(name)
    return by_reason


def save(made: Made, path: Path) -> int:
    """Writes the new network with the recipe and labels of the old one; bytes written."""
    model = made.found.compile(**made.options)
    found = dataclasses.replace(made.origin, model=model)
    model_file.save(path, model.graph, source.metadata(found))
    return path.stat().st_size
