"""Every operator that is taken, with the function that builds it."""

from __future__ import annotations

from dataclasses import dataclass

from pyconv.formats.onnx import arithmetic, images, reductions, shapes
from pyconv.formats.onnx.node import Builder

LATEST = 28


@dataclass(frozen=True)
class Entry:
    build: Builder
    since: int = 1


TABLE: dict[str, Entry] = {
    name: Entry(build)
    for module in (arithmetic, images, reductions, shapes)
    for name, build in module.BUILDERS.items()
}


def operators() -> list[str]:
    """The ONNX operators that are taken, by name.

    >>> from pyconv.formats.onnx.table import operators
    >>> operators()[:3]
    ['Abs', 'Add', 'And']
    """
    return sorted(TABLE)
