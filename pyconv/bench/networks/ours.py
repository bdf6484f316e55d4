"""Our side: a model file, loaded and run on aligned NCHW arrays with `out=`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyconv
from pyconv import nn

from ..peers import Runner
from ..problems import Array, aligned

NAME = "pyconv"
FILE = "network.pyconv"


def write(net: nn.Module, shape: tuple[int, ...], folder: Path, accuracy: str) -> None:
    pyconv.compile(net, shape, accuracy=accuracy).save(folder / FILE)


def network_runners(folder: Path, src: Array, threads: int, isa: str | None = None) -> Iterator[Runner]:
    """The network of the model file, in the accuracy that it was saved with."""
    model = pyconv.load(folder / FILE, threads=threads, max_isa=isa)
    (shape,) = model.output_shapes.values()
    dst = aligned(shape)
    yield Runner(model.options.accuracy, partial(model.run, src, out=dst), lambda: dst)


def exact(net: nn.Module, src: Array) -> Array:
    """What every engine shall compute: our result in exact mode."""
    result: Array = pyconv.compile(net, src.shape, accuracy="exact")(src)
    return result
