"""The core's graph as plain data, for the exporters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pyconv import _core

from ..problems import Array


@dataclass(frozen=True)
class Node:
    """One operator; values are named, "" stands for an input that is left out."""

    name: str
    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]

    def input(self, index: int) -> str:
        return self.inputs[index] if index < len(self.inputs) else ""

    def sides(self) -> tuple[int, int, int, int]:
        """The padding as (top, bottom, left, right); pools have it as (height, width)."""
        padding = self.attributes["padding"]
        if len(padding) == 2:
            return padding[0], padding[0], padding[1], padding[1]
        top, bottom, left, right = padding
        return top, bottom, left, right


@dataclass(frozen=True)
class Graph:
    """Nodes in the order in which they run; shapes of all values; arrays of those that are constant."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    shapes: dict[str, tuple[int, ...]] = field(repr=False)
    constants: dict[str, Array] = field(repr=False)
    macs: int

    @staticmethod
    def read(graph: _core.Graph) -> Graph:
        """From a graph with float32 values and nodes of one output."""
        shapes: dict[str, tuple[int, ...]] = {}
        constants: dict[str, Array] = {}

        def value(id: int) -> str:
            if id < 0:
                return ""
            _, dtype, shape, constant = graph.value(id)
            if dtype != "float32":
                raise ValueError(f"graph: expected float32 values, got {dtype}")
            name = f"v{id}"
            shapes[name] = tuple(shape)
            if constant:
                constants[name] = graph.constant(id)
            return name

        nodes = []
        for entry in graph.nodes():
            (output,) = entry["outputs"]
            inputs = tuple(value(i) for i in entry["inputs"])
            node = Node(entry["name"], entry["op"], inputs, value(output), entry["attributes"])
            nodes.append(node)
        macs = sum(entry["macs"] for entry in graph.nodes())
        given = tuple(value(i) for i in graph.inputs)
        results = tuple(value(i) for i in graph.outputs)
        return Graph(given, results, tuple(nodes), shapes, constants, macs)

    def consumers(self) -> dict[str, int]:
        """How often each value is read, by nodes and as a result."""
        counts = dict.fromkeys(self.shapes, 0)
        for node in self.nodes:
            for name in node.inputs:
                if name:
                    counts[name] += 1
        for name in self.outputs:
            counts[name] += 1
        return counts


class Unsupported(ValueError):
    """An engine has no way to run a node."""
