"""The graph as a frozen TorchScript file: one call of torch.nn.functional for each node.

Weights and input are channels-last. torch pads evenly, so where two sides differ, zeros are put around the
image by a call of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from .graph import Graph, Node, Unsupported

Values = dict[str, torch.Tensor]


def _conv(node: Node, v: Values) -> torch.Tensor:
    a = node.attributes
    x, weight, bias = v[node.inputs[0]], v[node.inputs[1]], v.get(node.input(2))
    top, bottom, left, right = node.sides()
    padding = [top, left]
    if (top, left) != (bottom, right):
        x, padding = F.pad(x, [left, right, top, bottom]), [0, 0]
    return F.conv2d(x, weight, bias, a["stride"], padding, a["dilation"], a["groups"])


def _batch_norm(node: Node, v: Values) -> torch.Tensor:
    mean, var = v[node.inputs[1]], v[node.inputs[2]]
    weight, bias = v.get(node.input(3)), v.get(node.input(4))
    return F.batch_norm(v[node.inputs[0]], mean, var, weight, bias, eps=node.attributes["eps"])


def _max_pool(node: Node, v: Values) -> torch.Tensor:
    a, (top, _, left, _) = node.attributes, node.sides()
    x = v[node.inputs[0]]
    return F.max_pool2d(x, a["kernel"], a["stride"], [top, left], a["dilation"], bool(a["ceil_mode"]))


def _avg_pool(node: Node, v: Values) -> torch.Tensor:
    a, (top, _, left, _) = node.attributes, node.sides()
    return F.avg_pool2d(
        v[node.inputs[0]], a["kernel"], a["stride"], [top, left], bool(a["ceil_mode"]),
        bool(a["count_include_pad"]), a["divisor"] or None,
    )  # fmt: skip


def _lrn(node: Node, v: Values) -> torch.Tensor:
    a = node.attributes
    return F.local_response_norm(v[node.inputs[0]], a["size"], a["alpha"], a["beta"], a["k"])


CALLS: dict[str, Callable[[Node, Values], torch.Tensor]] = {
    "conv": _conv,
    "batch_norm": _batch_norm,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "lrn": _lrn,
    "linear": lambda node, v: F.linear(v[node.inputs[0]], v[node.inputs[1]], v.get(node.input(2))),
    "global_avg_pool": lambda node, v: F.adaptive_avg_pool2d(v[node.inputs[0]], 1),
    "global_max_pool": lambda node, v: F.adaptive_max_pool2d(v[node.inputs[0]], 1),
    "relu": lambda node, v: F.relu(v[node.inputs[0]]),
    "relu6": lambda node, v: F.relu6(v[node.inputs[0]]),
    "silu": lambda node, v: F.silu(v[node.inputs[0]]),
    "sigmoid": lambda node, v: torch.sigmoid(v[node.inputs[0]]),
    "tanh": lambda node, v: torch.tanh(v[node.inputs[0]]),
    "add": lambda node, v: v[node.inputs[0]] + v[node.inputs[1]],
    "mul": lambda node, v: v[node.inputs[0]] * v[node.inputs[1]],
    "concat": lambda node, v: torch.cat([v[name] for name in node.inputs], node.attributes["axis"]),
    "reshape": lambda node, v: v[node.inputs[0]].flatten(1),
    "softmax": lambda node, v: F.softmax(v[node.inputs[0]], node.attributes["axis"]),
}


class Interpreter(torch.nn.Module):  # type: ignore[misc]
    """Calls node by node; tracing leaves the calls."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        for name, array in graph.constants.items():
            tensor = torch.from_numpy(np.array(array))
            if tensor.ndim == 4:
                tensor = tensor.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, tensor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {name: getattr(self, name) for name in self.graph.constants}
        values[self.graph.inputs[0]] = x
        for node in self.graph.nodes:
            values[node.output] = CALLS[node.op](node, values)
        return values[self.graph.outputs[0]]


def write_torch(graph: Graph, path: Path) -> None:
    """A network of one input and one output."""
    for node in graph.nodes:
        if node.op not in CALLS or (node.op == "reshape" and len(graph.shapes[node.output]) != 2):
            raise Unsupported(f"torch: no call for {node.op}")
    example = torch.zeros(graph.shapes[graph.inputs[0]]).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        traced = torch.jit.trace(Interpreter(graph).eval(), example, check_trace=False)
        torch.jit.freeze(traced).save(str(path))
