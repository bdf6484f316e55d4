"""Nodes whose attributes, shapes, types and wires were spoiled: errors that say something, or numbers."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import numpy_helper  # noqa: E402

import pyconv  # noqa: E402
from pyconv.formats.onnx import OnnxNetwork, operators  # noqa: E402
from support import onnx_drawn as drawn  # noqa: E402

EXTREMES = [0, -1, 1, 2, 7, 255, 2**20, 2**31, -(2**31), 2**40, 2**40 + 1, 2**58, 2**62, 2**63 - 1, -(2**63)]
REALS = [0.0, -1.0, np.nan, np.inf, -np.inf, 1e38, 1e-45]
SMALL = 2**22  # elements of inputs and outputs with which a model is run as well


class Spoiler:
    """Changes one thing of a model of one node."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def __call__(self, model):
        changes = [self.attribute, self.list_length, self.number, self.shape, self.wire, self.operator, self.size]
        self.pick(changes)(model.graph, model.graph.node[0])

    def attribute(self, graph, node):
        if node.attribute:
            found = self.pick(node.attribute)
            if found.ints:
                found.ints[int(self.rng.integers(len(found.ints)))] = self.pick(EXTREMES)
            elif found.type == onnx.AttributeProto.INT:
                found.i = self.pick(EXTREMES)
            else:
                found.f = self.pick(REALS)

    def list_length(self, graph, node):
        if node.attribute:
            found = self.pick(node.attribute)
            if not found.ints:
                found.type = int(self.rng.integers(0, 12))
            elif self.rng.random() < 0.5:
                found.ints.append(self.pick(EXTREMES))
            else:
                del found.ints[0]

    def number(self, graph, node):
        if graph.initializer:
            tensor = self.pick(graph.initializer)
            array = numpy_helper.to_array(tensor).copy()
            if array.size:
                spoiled = np.array(self.pick(EXTREMES if array.dtype.kind == "i" else REALS))
                with np.errstate(all="ignore"):
                    array.reshape(-1)[int(self.rng.integers(array.size))] = spoiled.astype(array.dtype)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

    def shape(self, graph, node):
        if graph.initializer:
            tensor = self.pick(graph.initializer)
            array = numpy_helper.to_array(tensor)
            array = array[..., None] if self.rng.random() < 0.5 else array.reshape(-1)[: int(self.rng.integers(4))]
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))

    def wire(self, graph, node):
        node.input[int(self.rng.integers(len(node.input)))] = self.pick(["", "nothing", *node.input])

    def operator(self, graph, node):
        node.op_type = self.pick(operators())

    def size(self, graph, node):
        if graph.input:
            dims = self.pick(graph.input).type.tensor_type.shape.dim
            if dims and self.rng.random() < 0.5:
                self.pick(dims).dim_value = self.pick(EXTREMES)
            elif dims:
                del dims[0]


def elements(shapes):
    return max((int(np.prod(shape, dtype=object)) for shape in shapes.values()), default=0)


@pytest.mark.parametrize("kind", drawn.KINDS)
def test_spoiled_nodes(kind, bounded_memory):
    refused = 0
    for seed in range(120):
        opset = 7 + seed % 15
        model = getattr(drawn.Draw([seed, 5], opset), kind)().model(opset)
        spoil = Spoiler([seed, drawn.KINDS.index(kind)])
        for _ in range(1 + seed % 2):
            spoil(model)
        try:
            compiled = pyconv.compile(OnnxNetwork(model))
            if max(elements(compiled.input_shapes), elements(compiled.output_shapes)) > SMALL:
                continue
            graph = compiled._core.graph
            inputs = [np.zeros(graph.value(i)[2], graph.value(i)[1]) for i in graph.inputs]
            compiled(dict(zip(compiled.input_shapes, inputs)))
        except (ValueError, TypeError, MemoryError) as error:
            refused += bool(str(error)) or isinstance(error, MemoryError)
    assert refused > 10
