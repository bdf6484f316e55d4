"""Networks by name, each with the input it was published for."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pyconv.nn import Module
from pyconv.preprocess import Recipe, recipe


@dataclass(frozen=True)
class Entry:
    """A network of the zoo.

    ``input_shape`` is (N, C, H, W) as published, ``recipe`` the name of its `pyconv.preprocess` recipe
    (None: pictures are no photographs, or of any size), ``source`` the paper.
    """

    name: str
    make: Callable[..., Module]
    input_shape: tuple[int, int, int, int]
    recipe: str | None
    source: str

    def preprocess(self) -> Recipe | None:
        """The recipe at this network's size: for photographs, 7/8 of the shorter side is kept.

        >>> import pyconv
        >>> recipe = pyconv.zoo.entry("inception_v3").preprocess()
        >>> recipe.resize_shorter, recipe.crop
        (342, 299)
        """
        if self.recipe is None:
            return None
        known, size = recipe(self.recipe), self.input_shape[2]
        if known.crop in (None, size) or known.crop == known.resize_shorter:
            return known
        return replace(known, crop=size, resize_shorter=round(size * 8 / 7))


Make = TypeVar("Make", bound=Callable[..., Module])
_entries: dict[str, Entry] = {}


def register(
    source: str, *, size: int | tuple[int, int] = 224, channels: int = 3, recipe: str | None = "imagenet"
) -> Callable[[Make], Make]:
    """Lists the function that it decorates under its name."""
    height, width = (size, size) if isinstance(size, int) else size

    def enter(make: Make) -> Make:
        name = make.__name__
        _entries[name] = Entry(name, make, (1, channels, height, width), recipe, source)
        return make

    return enter


def names() -> list[str]:
    """The networks that `create` knows, by family.

    >>> import pyconv
    >>> pyconv.zoo.names()[:3]
    ['lenet5', 'alexnet', 'alexnet_grouped']
    """
    return list(_entries)


def entry(name: str) -> Entry:
    """What is known of a network before it is made.

    Raises ValueError where there is none of this name.

    >>> import pyconv
    >>> pyconv.zoo.entry("inception_v3").input_shape
    (1, 3, 299, 299)
    """
    if name not in _entries:
        raise ValueError(f"name: expected one of {', '.join(_entries)}, got {name!r}")
    return _entries[name]


def create(name: str, *, weights: str | os.PathLike[str] | None = None, **options: Any) -> Module:
    """A network by name.

    Args:
        name: one of `names`.
        weights: a torch checkpoint, a safetensors or an npz file with torch's names; None: random ones.
        **options: what the network's own function takes, as ``num_classes=10``.

    Raises:
        ValueError: no such name; weights that are not this network's.
        TypeError: an option that the network does not have.
        OSError: the file of weights cannot be read.

    >>> import pyconv
    >>> pyconv.zoo.create("resnet18", num_classes=10).fc
    Linear(512, 10)
    """
    net = entry(name).make(**options)
    if weights is not None:
        from pyconv.formats import load_weights

        net.load_state_dict(load_weights(weights, dtype="float32", strip_prefix="module."))
    return net
