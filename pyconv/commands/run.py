"""run: pictures in, classes out."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv.commands import digits, source
from pyconv.commands.options import FILE, POSITIVE, console, model_options, plainly, shapes_of
from pyconv.model import Model
from pyconv.preprocess import Recipe, recipe
from pyconv.study.report import quantity

DIGIT_ROUNDS = 50


@click.command()
@click.argument("model", required=False)
@click.argument("images", nargs=-1, type=FILE)
@model_options
@click.option("--labels", type=FILE, help="Names of the classes, one a line.")
@click.option("--recipe", "recipe_name", help="What pictures go through.  [default: recorded, or guessed]")
@click.option("--top", type=POSITIVE, default=5, show_default=True, help="Classes to print.")
@click.option("--repeat", type=POSITIVE, help="Run so often, and state the median time.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plainly
def run(
    model: str | None,
    images: tuple[Path, ...],
    weights: Path | None,
    width: float | None,
    num_classes: int | None,
    input_shape: Any,
    threads: int | None,
    accuracy: str | None,
    labels: Path | None,
    recipe_name: str | None,
    top: int,
    repeat: int | None,
    as_json: bool,
) -> None:
    """Classifies the pictures IMAGES with MODEL.

    MODEL is a model file, an ONNX file, or a network of `pyconv zoo` with --weights. Without arguments,
    the LeNet-5 that comes with the package reads thirty digits of MNIST.
    """
    options = {"width": width, "num_classes": num_classes}
    wanted = source.Wanted(
        model or "lenet5", weights, shapes_of(input_shape), threads, accuracy, options, random_weights=False
    )
    found = source.find(wanted)
    if not images:
        if found.name != "lenet5":
            raise ValueError("IMAGES: expected one picture or more")
        return run_digits(found, repeat or DIGIT_ROUNDS, as_json)
    classifier = Classifier.of(found, recipe_name, labels)
    results = [classifier.classify(image, top, repeat or 1) for image in images]
    if as_json:
        click.echo(json.dumps({**classifier.describe(), "pictures": results}, indent=1))
        return None
    _print(classifier, results, repeat)
    return None


@dataclass(frozen=True)
class Classifier:
    """A network, with what pictures go through before it and what its outputs mean."""

    found: source.Found
    recipe: Recipe
    guessed: bool
    names: list[str]

    @staticmethod
    def of(found: source.Found, recipe_name: str | None, labels: Path | None) -> Classifier:
        if recipe_name is not None:
            given, guessed = recipe(recipe_name), False
        else:
            given, guessed = found.recipe or source.guessed_recipe(found), found.recipe is None
        return Classifier(
            found, source.fitted_recipe(given, found.model), guessed, source.class_names(found, labels)
        )

    def describe(self) -> dict[str, Any]:
        made = self.recipe
        return {
            "model": self.found.name,
            "recipe": {"resize_shorter": made.resize_shorter, "crop": made.crop, "mean": made.mean,
                       "std": made.std, "scale": made.scale, "channel_order": made.channel_order},
            "recipe_guessed": self.guessed,
        }  # fmt: skip

    def classify(self, picture: Path, top: int, repeat: int) -> dict[str, Any]:
        """The most probable classes of one picture, and the median seconds of the network alone."""
        array = self._input(picture)
        model = self.found.model
        seconds = []
        for _ in range(repeat + 1):  # the first warms up
            started = time.perf_counter()
            result = model(array)
            seconds.append(time.perf_counter() - started)
        likely = probabilities(model, result[0] if isinstance(result, tuple) else result).reshape(-1)
        order = np.argsort(-likely, kind="stable")[:top]
        classes = [{"class": int(i), "label": self.names[i], "probability": float(likely[i])} for i in order]
        return {"picture": str(picture), "top": classes, "seconds": median(seconds[1:])}

    def _input(self, picture: Path) -> Any:
        graph = self.found.model.graph
        _, dtype, shape, _ = graph.value(graph.inputs[0])
        if dtype == "uint8":
            pixels = replace(self.recipe, channel_order="RGB" if shape[3] == 3 else "L").uint8(picture)
            array: Any = pixels[None]
        else:
            array = self.recipe(picture)
        return np.ascontiguousarray(np.broadcast_to(array, shape))


def probabilities(model: Model, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of the first picture: the network's own where it ends in a softmax, else the softmax of its outputs."""
    graph = model.graph
    nodes = {id: node for node in graph.nodes() for id in node["outputs"]}
    last = nodes.get(graph.outputs[0])
    while last is not None and last["op"] in ("reshape", "identity"):
        last = nodes.get(last["inputs"][0])
    row = np.ascontiguousarray(outputs[:1], np.float32).reshape(1, -1)
    ending = last["op"] if last is not None else ""
    if ending == "softmax":
        return row
    return np.exp(row) if ending == "log_softmax" else pyconv.softmax(row)


def _print(classifier: Classifier, results: list[dict[str, Any]], repeat: int | None) -> None:
    out = console()
    for found in results:
        out.print(found["picture"], style="bold", highlight=False, markup=False)
        for line in found["top"]:
            out.print(f"  {100 * line['probability']:5.1f} %  {line['label']}", highlight=False, markup=False)
    seconds = median(found["seconds"] for found in results)
    times = f", median of {repeat} runs" if repeat else ""
    made = classifier.recipe
    guessed = "; the recipe is a guess, --recipe names another" if classifier.guessed else ""
    out.print(
        f"{quantity(seconds, 's')} a picture{times}; resized to {made.resize_shorter}, cropped to {made.crop}, "
        f"mean {made.mean}, std {made.std}{guessed}",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )


def run_digits(found: source.Found, rounds: int, as_json: bool) -> None:
    """The shipped digits, one at a time."""
    pictures, truth = pyconv.zoo.sample_digits()
    inputs = pyconv.preprocess.mnist.normalized(pictures[..., None])
    model, microseconds, read = found.model, [], []
    for x in inputs:
        digit = x[None]
        read.append(probabilities(model, model(digit)).reshape(-1))
        started = time.perf_counter()
        for _ in range(rounds):
            model(digit)
        microseconds.append(1e6 * (time.perf_counter() - started) / rounds)
    guesses = [int(p.argmax()) for p in read]
    right = sum(guess == label for guess, label in zip(guesses, truth))
    if as_json:
        rows = [
            {"digit": int(label), "prediction": guess, "probability": float(p[guess])}
            for label, guess, p in zip(truth, guesses, read)
        ]
        document = {"model": found.name, "digits": rows, "right": int(right),
                    "microseconds_per_digit": median(microseconds)}  # fmt: skip
        click.echo(json.dumps(document, indent=1))
        return
    captions = [
        f"{guess} {100 * p[guess]:.1f} %" + ("" if guess == label else f", not: {label}")
        for label, guess, p in zip(truth, guesses, read)
    ]
    out = console(width=100)
    columns = max(1, min(10, (out.width + 2) // 16))
    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "").startswith("utf")
    click.echo(digits.grid(pictures, captions, columns, unicode=unicode))
    click.echo(f"{right} of {len(truth)} right, {median(microseconds):.1f} us a digit")
