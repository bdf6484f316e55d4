"""The native model file: a safetensors file whose metadata holds the graph as JSON.

The core reads it (csrc/net/model_file.h has the format); this is the writer. Any safetensors tool opens
the weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from pyconv.formats import safetensors

if TYPE_CHECKING:
    from pyconv import _core

VERSION = "1"


def _plain(value: Any) -> Any:
    """JSON has no infinities; the reader takes their names."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


class _Names:
    """A name for each value of a graph, unique: the value's own where it is free."""

    def __init__(self) -> None:
        self._by_id: dict[int, str] = {}
        self._taken: set[str] = set()

    def __call__(self, id: int, wanted: str) -> str:
        if id not in self._by_id:
            name, i = wanted, 1
            while name in self._taken or name == "__metadata__":
                i += 1
                name = f"{wanted}#{i}"
            self._taken.add(name)
            self._by_id[id] = name
        return self._by_id[id]


def contents(
    graph: _core.Graph, metadata: Mapping[str, str]
) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Tensors and metadata of the file that holds `graph`."""
    names = _Names()
    tensors: dict[str, npt.NDArray[Any]] = {}
    constants: list[dict[str, str]] = []

    def reference(id: int) -> str | None:
        if id < 0:
            return None
        name = names(id, graph.value(id)[0])
        if graph.value(id)[3] and name not in tensors:
            tensors[name] = graph.constant(id)
            constants.append({"name": name, "tensor": name})
        return name

    inputs = []
    for id in graph.inputs:
        wanted, dtype, shape, _ = graph.value(id)
        inputs.append({"name": names(id, wanted), "dtype": dtype, "shape": list(shape)})
    nodes = [
        {
            "op": node["op"],
            "name": node["name"],
            "inputs": [reference(i) for i in node["inputs"]],
            "outputs": [reference(i) for i in node["outputs"]],
            "attributes": {k: _plain(v) for k, v in node["attributes"].items()},
            "absorbed": node["absorbed"],
        }
        for node in graph.nodes()
    ]
    outputs = [{"name": n, "value": reference(i)} for n, i in zip(graph.output_names, graph.outputs)]
    stored = {"inputs": inputs, "constants": constants, "nodes": nodes, "outputs": outputs}
    text = json.dumps(stored, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return tensors, {**metadata, "pyconv.version": VERSION, "pyconv.graph": text}


def save(path: Any, graph: _core.Graph, metadata: Mapping[str, str]) -> None:
    """Writes the file, whole or not at all."""
    tensors, stored = contents(graph, metadata)
    safetensors.save(path, tensors, metadata=stored)


def dumps(graph: _core.Graph, metadata: Mapping[str, str]) -> bytes:
    """The bytes of the file."""
    tensors, stored = contents(graph, metadata)
    return safetensors.dumps(tensors, metadata=stored)


def is_model_file(path: Any) -> bool:
    """Whether the file is a safetensors file with a graph."""
    try:
        return "pyconv.graph" in safetensors.read_header(path).metadata
    except ValueError:
        return False
