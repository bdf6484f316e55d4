"""Networks made anew from their graphs: with convolutions as chains, or with other outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv import _core
from pyconv.graph import GraphBuilder, Tensor
from pyconv.study.factors import Factors

Floats = NDArray[np.float32]
_WEIGHT, _BIAS = 1, 2


@dataclass(frozen=True)
class Convolution:
    """A convolution of a graph whose weights are known. ``source`` is the value that it reads."""

    name: str
    problem: pyconv.Conv2dProblem
    weight: Floats
    bias: Floats | None
    source: int


@dataclass(frozen=True)
class Chain:
    """What stands in place of a convolution: stages, and the bias of the last."""

    factors: Factors
    bias: Floats | None


def fusions() -> tuple[str, ...]:
    """The passes that make one node of several."""
    return tuple(name for name, _, _ in pyconv.passes() if name.startswith("fuse_"))


def plain(net: Any, input_shape: Any = None) -> _core.Graph:
    """The graph of a network with constants and batch norms folded, and nothing fused.

    A `Model` of a file keeps the fusions that it was saved with.
    """
    graph: _core.Graph = pyconv.compile(net, input_shape, without=fusions()).graph
    return graph


def convolutions(graph: _core.Graph) -> list[Convolution]:
    """In the order of the graph."""
    return [_convolution(graph, node) for node in graph.nodes() if node["op"] == "conv"]


def _convolution(graph: _core.Graph, node: Mapping[str, Any]) -> Convolution:
    inputs, told = node["inputs"], node["attributes"]
    weight = np.array(graph.constant(inputs[_WEIGHT]))
    biased = len(inputs) > _BIAS and inputs[_BIAS] >= 0
    problem = pyconv.problem_from_shapes(
        tuple(graph.value(inputs[0])[2]),
        weight.shape,
        stride=tuple(told.get("stride", (1, 1))),
        padding=tuple(told.get("padding", (0, 0, 0, 0))),
        dilation=tuple(told.get("dilation", (1, 1))),
        groups=told.get("groups", 1),
    )
    bias = np.array(graph.constant(inputs[_BIAS])) if biased else None
    return Convolution(node["name"], problem, weight, bias, inputs[0])


def made_anew(
    graph: _core.Graph, chains: Mapping[str, Chain] | None = None, outputs: Sequence[int] | None = None
) -> GraphBuilder:
    """A copy of `graph` that can be compiled, with `chains` in place of the convolutions of these names.

    ``outputs``: values of `graph` that it shall return in place of its own, named by their numbers.
    """
    return _Copy(graph, chains or {}).made(outputs)


class _Copy:
    def __init__(self, graph: _core.Graph, chains: Mapping[str, Chain]) -> None:
        self.graph, self.chains = graph, chains
        self.builder = GraphBuilder()
        self.new = self.builder.graph
        self.ids: dict[int, int] = {-1: -1}

    def made(self, outputs: Sequence[int] | None) -> GraphBuilder:
        wanted = list(self.graph.outputs if outputs is None else outputs)
        names = self.graph.output_names if outputs is None else [str(id) for id in wanted]
        nodes = needed(self.graph, wanted)
        for id in self.graph.inputs:
            name, dtype, shape, _ = self.graph.value(id)
            self.ids[id] = self.new.add_input(name, dtype, list(shape))
        for node in nodes:
            chain = self.chains.get(node["name"])
            made = self._node(node) if chain is None else self._chain(node, chain)
            self.ids.update(zip(node["outputs"], made))
        self.builder.outputs([Tensor(self.builder, self._value(id)) for id in wanted], names)
        return self.builder

    def _value(self, id: int) -> int:
        if id not in self.ids:
            self.ids[id] = self.new.add_constant(self.graph.value(id)[0], self.graph.constant(id))
        return self.ids[id]

    def _node(self, node: Mapping[str, Any]) -> list[int]:
        inputs = [self._value(id) for id in node["inputs"]]
        return self.new.add_node(node["op"], inputs, node["attributes"], node["name"])

    def _chain(self, node: Mapping[str, Any], chain: Chain) -> list[int]:
        """Stages are named as the parts of a Sequential in place of the layer; what else the layer had, an
        activation or another tensor to add, goes to the last."""
        source, *rest = node["inputs"]
        problem = _convolution(self.graph, node).problem
        value, last = self._value(source), len(chain.factors.stages) - 1
        for i, stage in enumerate(chain.factors.stages):
            name = f"{node['name']}.{i}"
            weight = np.ascontiguousarray(stage.weight, np.float32)
            inputs = [value, self.new.add_constant(f"{name}.weight", weight)]
            told: dict[str, Any] = stage.shape.attributes(problem)
            if i == last:
                told = {**node["attributes"], **told}
                residual = [self._value(id) for id in rest[_BIAS:]]
                if chain.bias is not None:
                    inputs.append(self.new.add_constant(f"{name}.bias", np.asarray(chain.bias, np.float32)))
                elif residual:
                    inputs.append(-1)
                inputs += residual
            (value,) = self.new.add_node("conv", inputs, told, name)
        return [value]


def needed(graph: _core.Graph, outputs: Sequence[int]) -> list[dict[str, Any]]:
    """The nodes that `outputs` depend on."""
    wanted, found = set(outputs), []
    for node in reversed(graph.nodes()):
        if wanted & set(node["outputs"]):
            wanted |= set(node["inputs"])
            found.append(node)
    return found[::-1]
