"""Small ONNX models, run and refused by the importer."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import pyconv  # noqa: E402
from pyconv.formats.onnx import OnnxNetwork  # noqa: E402

FLOAT = TensorProto.FLOAT


def info(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(nodes, inputs, outputs, initialisers=(), opset=17):
    outputs = [helper.make_empty_tensor_value_info(o) for o in outputs]
    arrays = [numpy_helper.from_array(a, name) for name, a in dict(initialisers).items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def node(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), name or f"the_{op.lower()}", **attributes)


def run(model, *arrays, **options):
    return pyconv.compile(OnnxNetwork(model), **options)(*arrays)


def refusal(model, shapes=None):
    with pytest.raises(ValueError) as raised:
        pyconv.compile(OnnxNetwork(model), shapes)
    return str(raised.value)
