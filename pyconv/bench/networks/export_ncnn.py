"""The graph as ncnn's two files: text that names layers and blobs, and raw weights in their order.

ncnn fuses nothing when it loads a network, so it is given the graph with activations fused; those that
its layers do not take in are layers of their own. A blob has one reader: Split layers make copies that
share their data. Files know no batch: shapes are those of one image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .graph import Graph, Node, Unsupported

MAGIC = 7767517
RAW_FLOAT32 = np.zeros(1, np.uint32)
# The values of activation_type, and their parameters.
FUSED: dict[str, tuple[int, tuple[float, ...]]] = {
    "relu": (1, ()),
    "relu6": (3, (0.0, 6.0)),
    "sigmoid": (4, ()),
    "hard_swish": (6, (1 / 6, 0.5)),
}
# Layers of their own: type and parameters.
ALONE: dict[str, tuple[str, dict[int, object]]] = {
    "relu": ("ReLU", {}),
    "relu6": ("Clip", {0: 0.0, 1: 6.0}),
    "sigmoid": ("Sigmoid", {}),
    "silu": ("Swish", {}),
    "tanh": ("TanH", {}),
}


@dataclass
class Writer:
    """Layers as (type, name, inputs, outputs, parameters), and what goes into the file of weights."""

    graph: Graph
    layers: list[tuple[str, str, list[str], list[str], dict[int, object]]] = field(default_factory=list)
    weights: list[NDArray[Any]] = field(default_factory=list)
    flat: set[str] = field(default_factory=set)
    """Values of one dimension: what global pools give, and all behind them that keeps it."""

    def add(self, kind: str, node: Node, inputs: list[str], parameters: dict[int, object]) -> None:
        self.layers.append((kind, node.output, inputs, [node.output], parameters))

    def activate(self, node: Node) -> None:
        """A layer for the node's own activation, behind the layer added last."""
        name = node.attributes.get("activation", "")
        if not name:
            return
        kind, parameters = _alone(name)
        _, _, _, outputs, _ = self.layers[-1]
        plain = f"{node.output}_plain"
        outputs[0] = plain
        self.layers.append((kind, f"{node.output}_{name}", [plain], [node.output], parameters))

    def constant(self, name: str, channels: int = 0) -> NDArray[Any]:
        return self.graph.constants[name] if name else np.zeros(channels, np.float32)

    def fused(self, node: Node) -> dict[int, object]:
        """Parameters that put the activation inside; otherwise none, and `behind` writes a layer."""
        kind = node.attributes.get("activation", "")
        if kind not in FUSED:
            return {}
        number, values = FUSED[kind]
        return {9: number, **({10: values} if values else {})}

    def behind(self, node: Node) -> None:
        if node.attributes.get("activation", "") not in FUSED:
            self.activate(node)


def _alone(name: str) -> tuple[str, dict[int, object]]:
    if name not in ALONE:
        raise Unsupported(f"ncnn: no layer for {name}")
    return ALONE[name]


def _conv(node: Node, writer: Writer) -> None:
    if node.inputs[0] in writer.flat:
        _linear(node, writer)
        return
    weights = writer.constant(node.inputs[1])
    bias = node.input(2)
    (sh, sw), (dh, dw) = node.attributes["stride"], node.attributes["dilation"]
    top, bottom, left, right = node.sides()
    out_channels, _, kh, kw = weights.shape
    groups = node.attributes["groups"]
    parameters: dict[int, object] = {
        0: out_channels, 1: kw, 11: kh, 2: dw, 12: dh, 3: sw, 13: sh, 4: left, 14: top, 15: right,
        16: bottom, 5: int(bool(bias)), 6: weights.size, **writer.fused(node),
    }  # fmt: skip
    if groups > 1:
        parameters[7] = groups
    writer.add("Convolution" if groups == 1 else "ConvolutionDepthWise", node, [node.inputs[0]], parameters)
    writer.weights += [RAW_FLOAT32, weights]
    if bias:
        writer.weights.append(writer.constant(bias))
    writer.behind(node)


def _linear(node: Node, writer: Writer) -> None:
    weights = writer.constant(node.inputs[1])
    if weights[0].size != writer.graph.shapes[node.inputs[0]][1]:
        raise Unsupported("ncnn: a convolution of one pixel that is not 1x1, or has groups")
    writer.flat.add(node.output)
    bias = node.input(2)
    parameters = {0: weights.shape[0], 1: int(bool(bias)), 2: weights.size, **writer.fused(node)}
    writer.add("InnerProduct", node, [node.inputs[0]], parameters)
    writer.weights += [RAW_FLOAT32, weights]
    if bias:
        writer.weights.append(writer.constant(bias))
    writer.behind(node)


def _batch_norm(node: Node, writer: Writer) -> None:
    mean, var = writer.constant(node.inputs[1]), writer.constant(node.inputs[2])
    channels = mean.size
    writer.add("BatchNorm", node, [node.inputs[0]], {0: channels, 1: node.attributes["eps"]})
    weight = writer.constant(node.input(3)) if node.input(3) else np.ones(channels, np.float32)
    writer.weights += [weight, mean, var, writer.constant(node.input(4), channels)]
    writer.activate(node)


def _pool(node: Node, writer: Writer) -> None:
    a = node.attributes
    if a.get("divisor") or a.get("dilation", [1, 1]) != [1, 1]:
        raise Unsupported("ncnn: a pool with dilation or a divisor of its own")
    (kh, kw), (sh, sw) = a["kernel"], a["stride"]
    top, bottom, left, right = node.sides()
    writer.add("Pooling", node, [node.inputs[0]], {
        0: int(node.op == "avg_pool"), 1: kw, 11: kh, 2: sw, 12: sh, 3: left, 13: top, 14: right, 15: bottom,
        5: 0 if a["ceil_mode"] else 1, 6: a.get("count_include_pad", 0),
    })  # fmt: skip


def _global_pool(node: Node, writer: Writer) -> None:
    writer.add("Pooling", node, [node.inputs[0]], {0: int(node.op == "global_avg_pool"), 4: 1})
    writer.flat.add(node.output)


def _binary(node: Node, writer: Writer) -> None:
    writer.add("BinaryOp", node, list(node.inputs), {0: {"add": 0, "mul": 2}[node.op]})
    writer.activate(node)


def _concat(node: Node, writer: Writer) -> None:
    writer.add("Concat", node, list(node.inputs), {0: node.attributes["axis"] - 1})


def _reshape(node: Node, writer: Writer) -> None:
    if len(writer.graph.shapes[node.output]) != 2:
        raise Unsupported("ncnn: a reshape that does not flatten")
    writer.add("Flatten", node, [node.inputs[0]], {})


def _lrn(node: Node, writer: Writer) -> None:
    a = node.attributes
    writer.add("LRN", node, [node.inputs[0]], {0: 0, 1: a["size"], 2: a["alpha"], 3: a["beta"], 4: a["k"]})


def _softmax(node: Node, writer: Writer) -> None:
    rank = len(writer.graph.shapes[node.output])
    writer.add("Softmax", node, [node.inputs[0]], {0: node.attributes["axis"] % rank - 1, 1: 1})


WRITERS: dict[str, Callable[[Node, Writer], None]] = {
    "conv": _conv, "linear": _linear, "batch_norm": _batch_norm, "max_pool": _pool, "avg_pool": _pool,
    "global_avg_pool": _global_pool, "global_max_pool": _global_pool, "add": _binary, "mul": _binary,
    "concat": _concat, "reshape": _reshape, "lrn": _lrn, "softmax": _softmax,
}  # fmt: skip


def write_ncnn(graph: Graph, folder: Path) -> None:
    """`network.param` and `network.bin`; inputs and outputs keep the names of the graph's values."""
    writer = Writer(graph)
    for name in graph.inputs:
        writer.layers.append(("Input", name, [], [name], {}))
    for node in graph.nodes:
        if node.op == "conv" and node.input(3):
            raise Unsupported(f"ncnn: expected no fused residual, got one in {node.name}")
        if node.op in WRITERS:
            WRITERS[node.op](node, writer)
        else:
            kind, parameters = _alone(node.op)
            writer.add(kind, node, [node.inputs[0]], parameters)
            if node.inputs[0] in writer.flat:
                writer.flat.add(node.output)
    layers = _split(writer.layers)
    blobs = sum(len(outputs) for _, _, _, outputs, _ in layers)
    lines = [str(MAGIC), f"{len(layers)} {blobs}"]
    for kind, name, inputs, outputs, parameters in layers:
        counts = [str(len(inputs)), str(len(outputs))]
        lines.append(" ".join([kind, name, *counts, *inputs, *outputs, *_words(parameters)]))
    (folder / "network.param").write_text("\n".join(lines) + "\n", encoding="ascii")
    with open(folder / "network.bin", "wb") as file:
        _write_arrays(writer.weights, file)


def _write_arrays(arrays: list[NDArray[Any]], file: BinaryIO) -> None:
    for array in arrays:
        file.write(np.ascontiguousarray(array).tobytes())


def _words(parameters: dict[int, object]) -> list[str]:
    """key=value; an array is -23300-key=count,values."""
    words = []
    for key, value in parameters.items():
        if isinstance(value, tuple):
            words.append(f"{-23300 - key}={','.join(map(str, (len(value), *value)))}")
        else:
            words.append(f"{key}={value}")
    return words


Layer = tuple[str, str, list[str], list[str], dict[int, object]]


def _split(layers: list[Layer]) -> list[Layer]:
    """The layers with a Split behind every blob that several of them read."""
    readers: dict[str, int] = {}
    for _, _, inputs, _, _ in layers:
        for name in inputs:
            readers[name] = readers.get(name, 0) + 1
    taken: dict[str, int] = {}

    def copy(name: str) -> str:
        if readers[name] == 1:
            return name
        taken[name] = taken.get(name, 0) + 1
        return f"{name}_{taken[name] - 1}"

    result = []
    for kind, name, inputs, outputs, parameters in layers:
        result.append((kind, name, [copy(i) for i in inputs], outputs, parameters))
        for output in outputs:
            count = readers.get(output, 0)
            if count > 1:
                copies = [f"{output}_{i}" for i in range(count)]
                result.append(("Split", f"{output}_split", [output], copies, {}))
    return result
