"""Where a network comes from: a model file, a file of another format, or the zoo; and what goes with it."""

from __future__ import annotations

import dataclasses
import difflib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyconv
from pyconv.formats import labels_beside, load_labels, model_file, safetensors
from pyconv.model import Model
from pyconv.preprocess import Recipe, recipe

RECIPE = "pyconv.recipe"
LABELS = "pyconv.labels"
IMAGENET_WITH_BACKGROUND = 1001


@dataclass(frozen=True)
class Wanted:
    """What the command line says of a network. ``options`` are those of the zoo's function."""

    model: str
    weights: Path | None = None
    input_shape: Any = None
    threads: int | None = None
    accuracy: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    compile: dict[str, Any] = field(default_factory=dict)
    random_weights: bool = True
    """Whether a network of the zoo may go without weights."""


@dataclass(frozen=True)
class Found:
    """A compiled network, and what its file or the zoo says of its pictures."""

    model: Model
    name: str
    path: Path | None
    recipe: Recipe | None = None
    labels: list[str] | None = None

    @property
    def classes(self) -> int:
        """Of the first output; ValueError where it is not (N, classes), nor that with axes of 1."""
        shape = next(iter(self.model.output_shapes.values()))
        sizes = [size for size in shape[1:] if size != 1]
        if len(shape) < 2 or len(sizes) > 1:
            raise ValueError(f"{self.name}: expected a classifier, of output (N, classes), got {shape}")
        return sizes[0] if sizes else 1


def find(wanted: Wanted) -> Found:
    """Raises ValueError and OSError with what is wrong."""
    path = Path(wanted.model)
    if path.is_file():
        _refuse_for_files(wanted)
        return _from_model_file(wanted, path) if model_file.is_model_file(path) else _from_file(wanted, path)
    if wanted.model in pyconv.zoo.names():
        return _from_zoo(wanted)
    near = difflib.get_close_matches(wanted.model, pyconv.zoo.names(), 1)
    hint = f": did you mean {near[0]}?" if near else "; 'pyconv zoo' lists the networks"
    raise ValueError(f"{wanted.model}: no such file, and no network of the zoo{hint}")


def _refuse_for_files(wanted: Wanted) -> None:
    given = [
        name for name, value in {"weights": wanted.weights, **wanted.options}.items() if value is not None
    ]
    if given:
        raise ValueError(
            f"--{given[0].replace('_', '-')}: is for networks of the zoo, not for {wanted.model}"
        )


def _settings(wanted: Wanted) -> dict[str, Any]:
    """Options of `compile` that were given."""
    given = {"threads": wanted.threads, "accuracy": wanted.accuracy}
    return {**{key: value for key, value in given.items() if value is not None}, **wanted.compile}


def _from_model_file(wanted: Wanted, path: Path) -> Found:
    metadata = safetensors.read_header(path).metadata
    settings = _settings(wanted)
    anew = {key: settings.pop(key) for key in ("tune", "image_input") if key in settings}
    model = pyconv.load(path, **settings)
    if anew or wanted.input_shape is not None:
        model = pyconv.compile(model, wanted.input_shape, **_settings(wanted))
    labels = metadata.get(LABELS)
    return Found(
        model,
        path.name,
        path,
        _recipe_from(path, metadata[RECIPE]) if RECIPE in metadata else None,
        labels.split("\n") if labels else None,
    )


def _recipe_from(path: Path, text: str) -> Recipe:
    try:
        found = json.loads(text)
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
        return Recipe(**values)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {RECIPE} in its metadata: {error}") from None


def _from_file(wanted: Wanted, path: Path) -> Found:
    network = pyconv.load(path)
    model = pyconv.compile(network, wanted.input_shape, **_settings(wanted))
    return Found(model, path.name, path)


def _from_zoo(wanted: Wanted) -> Found:
    entry = pyconv.zoo.entry(wanted.model)
    options = {key: value for key, value in wanted.options.items() if value is not None}
    if wanted.model == "lenet5" and wanted.weights is None and not options:
        options["pretrained"] = True
    elif wanted.weights is None and not wanted.random_weights:
        raise ValueError(f"{wanted.model}: expected --weights FILE; lenet5 alone comes with its weights")
    try:
        net = pyconv.zoo.create(wanted.model, weights=wanted.weights, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        unknown = str(error).rpartition(" ")[2].strip("'")
        raise ValueError(f"--{unknown.replace('_', '-')}: {wanted.model} has no such option") from None
    model = pyconv.compile(net, wanted.input_shape or entry.input_shape, **_settings(wanted))
    labels = [str(digit) for digit in range(10)] if options.get("pretrained") else None
    known = None if entry.recipe is None else recipe(entry.recipe)
    return Found(model, wanted.model, wanted.weights, known, labels)


def metadata(found: Found) -> dict[str, str]:
    """What a model file records beside the graph."""
    recorded = {"pyconv.options": found.model.options.as_json()}
    if found.recipe is not None:
        recorded[RECIPE] = json.dumps(dataclasses.asdict(found.recipe), separators=(",", ":"))
    if found.labels is not None:
        recorded[LABELS] = "\n".join(found.labels)
    return recorded


def guessed_recipe(found: Found) -> Recipe:
    """By the size of the input, and the number of classes."""
    shape = next(iter(found.model.input_shapes.values()))
    channels, side = sorted(shape[1:])[0], sorted(shape[1:])[-1]
    if channels == 1:
        return recipe("mnist")
    if side == 32:
        return recipe("cifar10")
    return recipe("tf_inception" if found.classes == IMAGENET_WITH_BACKGROUND else "imagenet")


def fitted_recipe(given: Recipe, model: Model) -> Recipe:
    """The recipe for the model's size and layout of pictures, resizing and cropping in proportion."""
    shape = next(iter(model.input_shapes.values()))
    if len(shape) != 4:
        raise ValueError(f"input: expected a network that takes images (N, C, H, W), this one takes {shape}")
    last = shape[1] != given.channels and shape[3] == given.channels
    channels, height, width = (shape[3], *shape[1:3]) if last else shape[1:]
    if channels != given.channels:
        raise ValueError(
            f"recipe: expected one of {channels} channel{'s' * (channels != 1)} for {shape}, got {given.channels}"
        )
    if height != width:
        raise ValueError(f"input: recipes make square pictures, this network takes {height} x {width}")
    made = given
    if given.crop != height:
        crop = given.crop or given.resize_shorter or height
        shorter = round((given.resize_shorter or crop) * height / crop)
        made = dataclasses.replace(made, crop=height, resize_shorter=max(shorter, height))
    return dataclasses.replace(made, layout="nhwc") if last else made


def class_names(found: Found, labels: Path | None) -> list[str]:
    """From the file given, the model file, or a file beside it; else "class 7"."""
    if labels is not None:
        return load_labels(labels, found.classes)
    if found.labels is not None and len(found.labels) == found.classes:
        return found.labels
    beside = labels_beside(found.path) if found.path is not None else None
    if beside is not None:
        try:
            return load_labels(beside, found.classes)
        except ValueError:  # of another network in the same folder
            pass
    return [f"class {i}" for i in range(found.classes)]
