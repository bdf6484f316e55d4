"""The walk over a model: inputs bound to shapes, nodes built in order, everything that can't be, listed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv.formats.onnx import proto
from pyconv.formats.onnx.node import Node
from pyconv.formats.onnx.table import LATEST, TABLE
from pyconv.graph import GraphBuilder, Tensor

Array = npt.NDArray[Any]
Shapes = Mapping[str, tuple[int, ...]]
_MOST_LISTED = 20
MOST_MADE = 2**30  # bytes of all constants that are computed while a network is recorded


class NeedConstant(ValueError):
    """A number must be known while the graph is built, and comes from inputs of the network."""

    def __init__(self, message: str, inputs: frozenset[str]) -> None:
        super().__init__(message)
        self.inputs = inputs


class Values:
    """The values of a model by name: numpy arrays where they are known, else tensors of the graph."""

    def __init__(self, folder: str | None) -> None:
        self.folder = folder
        self._arrays: dict[str, Array] = {}
        self._tensors: dict[str, Tensor] = {}
        self._sources: dict[str, frozenset[str]] = {}
        # By a tensor's id: the operator and the inputs that it was made of.
        self.made: dict[int, tuple[str, Sequence[Tensor | None], Mapping[str, Any]]] = {}
        self.room = MOST_MADE

    def __contains__(self, name: str) -> bool:
        return name in self._arrays or name in self._tensors

    def set(self, name: str, value: Tensor | Array, sources: frozenset[str]) -> None:
        if isinstance(value, np.ndarray):
            self._arrays[name] = value
        else:
            self._tensors[name] = value
        self._sources[name] = sources

    def sources(self, name: str) -> frozenset[str]:
        """The network's inputs that a value depends on."""
        return self._sources.get(name, frozenset())

    def tensor(self, name: str, builder: GraphBuilder) -> Tensor:
        if name not in self._tensors:
            self._tensors[name] = builder.constant(self._arrays[name], name)
        return self._tensors[name]

    def array(self, name: str, builder: GraphBuilder) -> Array | None:
        if name not in self._arrays and self._tensors[name].is_constant:
            self._arrays[name] = builder.graph.constant(self._tensors[name].id)
        return self._arrays.get(name)

    def claim(self, shape: Sequence[int], dtype: Any) -> None:
        """Takes the bytes of a constant off the room for all of them; ValueError where it does not suffice."""
        if min(shape, default=0) < 0:
            raise ValueError(f"expected sizes of 0 or more, got {tuple(shape)}")
        wanted = prod(shape) * np.dtype(dtype).itemsize
        if wanted > self.room:
            raise ValueError(
                f"expected constants of at most {MOST_MADE} bytes in all, "
                f"got one of shape {tuple(shape)} where {self.room} are left"
            )
        self.room -= wanted

    def need_constant(self, name: str, what: str) -> None:
        inputs = self.sources(name)
        raise NeedConstant(
            f"{what} ('{name}'): expected a constant, it depends on the network's "
            f"input {', '.join(sorted(inputs))}",
            inputs,
        )


class OnnxNetwork:
    """A model read from a file: `pyconv.compile` makes it for given shapes.

    Attributes:
        inputs: shapes by name as the file states them; open sizes are their names, or None.
        outputs: names, in order.
    """

    def __init__(self, model: Any, folder: str | None = None, where: str = "model") -> None:
        self._where = where
        self._folder = folder
        self._checked(proto.check_names, model.graph)
        self._opset = self._checked(proto.opset_of, model, LATEST)
        self._initialisers: dict[str, Array] = {}
        for tensor in model.graph.initializer:
            name = f"initializer '{tensor.name}'"
            self._initialisers[tensor.name] = self._checked(proto.tensor_array, tensor, folder, name)
        if model.graph.sparse_initializer:
            raise ValueError(f"{where}: sparse initialisers are not supported")
        # A copy without the weights, so that the message can go and they are in memory once.
        self._graph = type(model.graph)()
        self._graph.node.extend(model.graph.node)
        self._graph.input.extend(model.graph.input)
        self._graph.output.extend(model.graph.output)
        self._inputs = [i for i in self._graph.input if i.name not in self._initialisers]
        self.inputs = {i.name: proto.declared_shape(i) for i in self._inputs}
        self.outputs = [o.name for o in self._graph.output]
        if not self.outputs:
            raise ValueError(f"{where}: expected a graph with outputs, got none")
        unknown = [self._label(n) for n in self._graph.node if not known(n)]
        if unknown:
            raise ValueError(self._report("operators that are not supported", unknown))

    def _checked(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except ValueError as error:
            raise ValueError(f"{self._where}: {error}") from None

    def _label(self, node: Any) -> str:
        name = node.name or (node.output[0] if node.output else "")
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
        return f"node '{name}' ({domain}{node.op_type}, opset {self._opset})"

    def _report(self, what: str, lines: list[str]) -> str:
        shown = "".join(f"\n  {line}" for line in lines[:_MOST_LISTED])
        more = f"\n  and {len(lines) - _MOST_LISTED} more" if len(lines) > _MOST_LISTED else ""
        return f"{self._where}: {what}:{shown}{more}"

    def graph_for(self, shapes: Shapes | None, builder: GraphBuilder) -> GraphBuilder:
        """Records the network into `builder`.

        Args:
            shapes: by input name; a single one by any name where the network has one input. None:
                as the file states them, with 1 for the first size where it alone is open.
            builder: where to record.

        Raises:
            ValueError: shapes that do not fit, or nodes that cannot be built: all of them are listed.
        """
        return self.record(shapes, builder, {})

    def record(self, shapes: Shapes | None, builder: GraphBuilder, known: Mapping[str, Array]) -> GraphBuilder:
        """As `graph_for`, with the inputs in `known` as constants. Raises NeedConstant where more of
        them would have to be."""
        bound = self._bind(shapes)
        values = Values(self._folder)
        for name, array in self._initialisers.items():
            values.set(name, array, frozenset())
        for info in self._inputs:
            if info.name in known:
                values.set(info.name, known[info.name], frozenset())
                continue
            dtype = self._checked(proto.dtype_of, info.type.tensor_type.elem_type, f"input '{info.name}'")
            tensor = builder.input(info.name, bound[info.name], dtype)
            values.set(info.name, tensor, frozenset([info.name]))
        self._build_nodes(values, builder)
        missing = [name for name in self.outputs if name not in values]
        if missing:
            raise ValueError(f"{self._where}: output '{missing[0]}' is made by no node")
        builder.outputs([values.tensor(name, builder) for name in self.outputs], self.outputs)
        return builder

    def _bind(self, shapes: Shapes | None) -> dict[str, tuple[int, ...]]:
        given = dict(shapes or {})
        if len(given) == 1 and len(self.inputs) == 1 and next(iter(given)) not in self.inputs:
            given = {name: next(iter(given.values())) for name in self.inputs}
        for name in given:
            if name not in self.inputs:
                raise ValueError(
                    f"input_shape: this network's inputs are {', '.join(self.inputs)}, got '{name}'"
                )
        bound: dict[str, tuple[int, ...]] = {}
        sizes: dict[str, int] = {}
        for name, declared in self.inputs.items():
            shape = given.get(name, with_one_image(declared))
            if shape is None or not all(isinstance(s, int) for s in shape):
                raise ValueError(
                    f"input_shape: the file leaves sizes of input '{name}' open: {declared}; "
                    "give its shape, (1, 3, 224, 224) say"
                )
            if declared is not None and len(declared) != len(shape):
                raise ValueError(
                    f"input_shape: expected {len(declared)} sizes for '{name}' {declared}, got {shape}"
                )
            for size, wanted in zip(shape, declared or ()):
                fits = sizes.setdefault(wanted, size) == size if isinstance(wanted, str) else wanted in (size, None)
                if not fits:
                    raise ValueError(f"input_shape: expected {declared} for '{name}', got {shape}")
            bound[name] = tuple(shape)
        return bound

    def _build_nodes(self, values: Values, builder: GraphBuilder) -> None:
        failures: list[str] = []
        wanting: set[str] = set()
        failed: set[str] = set()
        for message in self._graph.node:
            absent = [name for name in message.input if name and name not in values]
            if any(name not in failed for name in absent):
                name = next(n for n in absent if n not in failed)
                failures.append(f"{self._label(message)}: input '{name}' is made by no node before it")
            if absent:
                failed.update(message.output)
                continue
            try:
                self._build(message, values, builder)
            except NeedConstant as error:
                wanting.update(error.inputs)
                failures.append(f"{self._label(message)}: {error}")
                failed.update(message.output)
            except (ValueError, TypeError, ArithmeticError, LookupError) as error:
                failures.append(f"{self._label(message)}: {error}")
                failed.update(message.output)
        if wanting:
            raise NeedConstant(self._report("nodes that cannot be built", failures), frozenset(wanting))
        if failures:
            raise ValueError(self._report("nodes that cannot be built", failures))

    def _build(self, message: Any, values: Values, builder: GraphBuilder) -> None:
        node = Node(message, self._opset, values, builder)
        entry = TABLE[message.op_type]
        if self._opset < entry.since:
            raise ValueError(f"this operator exists since opset {entry.since}")
        built = entry.build(node)
        results: list[Any] = list(built) if isinstance(built, list | tuple) else [built]
        node.check_all_used(len(results))
        sources = frozenset[str]().union(*(values.sources(name) for name in message.input))
        for name, result in zip(message.output, results):
            if not name:
                continue
            if name in values:
                raise ValueError(f"output '{name}' is made by another node already")
            if result is None:
                raise ValueError(f"output '{name}' is not supported")
            known = isinstance(result, np.ndarray) or result.is_constant
            values.set(name, result, frozenset() if known else sources)

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name} {shape}" for name, shape in self.inputs.items())
        return f"OnnxNetwork({inputs} -> {', '.join(self.outputs)})"


def with_one_image(declared: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """The shape for a batch of one, where the file leaves only the batch open."""
    if declared and not isinstance(declared[0], int) and all(isinstance(s, int) for s in declared[1:]):
        return (1, *declared[1:])
    return declared


def known(node: Any) -> bool:
    """Whether the importer has the node's operator at all."""
    return node.domain in ("", "ai.onnx") and node.op_type in TABLE


def load_onnx(path: str | os.PathLike[str]) -> OnnxNetwork:
    """An ONNX model, to be compiled for given shapes.

    Args:
        path: the file; external data is read from its folder alone.

    Raises:
        ImportError: the `onnx` package is missing.
        ValueError: no ONNX model, damaged, or with operators that are not supported: all are named.
    """
    name = os.fspath(path)
    model = proto.read_model(name)
    return OnnxNetwork(model, os.path.dirname(name) or ".", name)
