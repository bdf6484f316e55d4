"""The graph as an ONNX file, operator by operator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .graph import Graph, Node, Unsupported

OPSET, IR_VERSION = 17, 8
SAME_NAME = {
    "relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "add": "Add", "mul": "Mul",
    "global_avg_pool": "GlobalAveragePool", "global_max_pool": "GlobalMaxPool",
}  # fmt: skip


class Writer:
    """Collects the nodes and initializers of one model."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> None:
        for name in inputs:
            if name in self.graph.constants:
                array = np.ascontiguousarray(self.graph.constants[name])
                self.initializers[name] = numpy_helper.from_array(array, name)
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))

    def constant(self, name: str, array: NDArray[Any]) -> str:
        self.initializers[name] = numpy_helper.from_array(array, name)
        return name


def pads(node: Node) -> list[int]:
    """ONNX begins with both starts: (top, left, bottom, right)."""
    top, bottom, left, right = node.sides()
    return [top, left, bottom, right]


def _conv(node: Node, writer: Writer) -> None:
    weights = writer.graph.shapes[node.inputs[1]]
    writer.add(
        "Conv", [i for i in node.inputs[:3] if i], node.output,
        group=node.attributes["groups"], kernel_shape=list(weights[2:]), pads=pads(node),
        strides=node.attributes["stride"], dilations=node.attributes["dilation"],
    )  # fmt: skip


def _linear(node: Node, writer: Writer) -> None:
    writer.add("Gemm", [i for i in node.inputs if i], node.output, transB=1)


def _batch_norm(node: Node, writer: Writer) -> None:
    x, mean, var = node.inputs[:3]
    channels = writer.graph.shapes[x][1]
    weight = node.input(3) or writer.constant(f"{node.output}.one", np.ones(channels, np.float32))
    bias = node.input(4) or writer.constant(f"{node.output}.zero", np.zeros(channels, np.float32))
    writer.add(
        "BatchNormalization", [x, weight, bias, mean, var], node.output, epsilon=node.attributes["eps"]
    )


def _max_pool(node: Node, writer: Writer) -> None:
    a = node.attributes
    writer.add(
        "MaxPool", [node.inputs[0]], node.output, kernel_shape=a["kernel"], strides=a["stride"],
        pads=pads(node), dilations=a["dilation"], ceil_mode=a["ceil_mode"],
    )  # fmt: skip


def _avg_pool(node: Node, writer: Writer) -> None:
    a = node.attributes
    if a["divisor"]:
        raise Unsupported("ONNX: avg_pool with a divisor of its own")
    writer.add(
        "AveragePool", [node.inputs[0]], node.output, kernel_shape=a["kernel"], strides=a["stride"],
        pads=pads(node), ceil_mode=a["ceil_mode"], count_include_pad=a["count_include_pad"],
    )  # fmt: skip


def _clip(node: Node, writer: Writer) -> None:
    low = writer.constant("zero", np.array(0, np.float32))
    high = writer.constant("six", np.array(6, np.float32))
    writer.add("Clip", [node.inputs[0], low, high], node.output)


def _silu(node: Node, writer: Writer) -> None:
    gate = f"{node.output}.gate"
    writer.add("Sigmoid", [node.inputs[0]], gate)
    writer.add("Mul", [node.inputs[0], gate], node.output)


def _lrn(node: Node, writer: Writer) -> None:
    a = node.attributes
    writer.add(
        "LRN", [node.inputs[0]], node.output, size=a["size"], alpha=a["alpha"], beta=a["beta"], bias=a["k"]
    )


def _concat(node: Node, writer: Writer) -> None:
    writer.add("Concat", list(node.inputs), node.output, axis=node.attributes["axis"])


def _reshape(node: Node, writer: Writer) -> None:
    sizes = np.array(writer.graph.shapes[node.output], np.int64)
    writer.add("Reshape", [node.inputs[0], writer.constant(f"{node.output}.shape", sizes)], node.output)


def _softmax(node: Node, writer: Writer) -> None:
    writer.add("Softmax", [node.inputs[0]], node.output, axis=node.attributes["axis"])


WRITERS: dict[str, Callable[[Node, Writer], None]] = {
    "conv": _conv, "linear": _linear, "batch_norm": _batch_norm, "max_pool": _max_pool,
    "avg_pool": _avg_pool, "relu6": _clip, "silu": _silu, "lrn": _lrn, "concat": _concat,
    "reshape": _reshape, "softmax": _softmax,
}  # fmt: skip


def onnx_model(graph: Graph) -> onnx.ModelProto:
    """A checked model; inputs and outputs keep the names of the graph's values."""
    writer = Writer(graph)
    for node in graph.nodes:
        if node.attributes.get("activation") or (node.op == "conv" and node.input(3)):
            raise Unsupported(f"ONNX: expected nodes that are not fused, got {node.name}")
        if node.op in SAME_NAME:
            writer.add(SAME_NAME[node.op], list(node.inputs), node.output)
        elif node.op in WRITERS:
            WRITERS[node.op](node, writer)
        else:
            raise Unsupported(f"ONNX: no writer for {node.op}")

    def info(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(graph.shapes[name]))

    made = helper.make_graph(
        writer.nodes, "network", [info(i) for i in graph.inputs], [info(o) for o in graph.outputs],
        list(writer.initializers.values()),
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def write_onnx(graph: Graph, path: Path) -> None:
    """The graph as a file that the checker accepts."""
    onnx.save(onnx_model(graph), str(path))
    onnx.checker.check_model(str(path))
