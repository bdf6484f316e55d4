"""The gradient of a value inside a network with respect to its input: the network run backwards.

Every operator is replaced by its adjoint at the values of a forward run: a convolution by the transposed one
with the same weights, an activation by its slope, a maximum by the place that it came from. Several directions
at the output go back together, as a batch. With `reach` all weights and slopes are one, so what comes back is
not zero where an input can matter at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyconv
from pyconv import _core
from pyconv.study.rewrite import made_anew, needed

Floats = NDArray[np.float32]
Node = Mapping[str, Any]


@dataclass
class Backward:
    """Gradients (directions, ...) of the values of a graph of batch 1, by id."""

    graph: _core.Graph
    values: Mapping[int, Floats]
    reach: bool = False
    gradients: dict[int, Floats] = field(default_factory=dict)

    def shape(self, id: int) -> tuple[int, ...]:
        return tuple(self.graph.value(id)[2])

    def value(self, id: int) -> Floats:
        """What a value was in the forward run."""
        return self.graph.constant(id) if self.graph.value(id)[3] else self.values[id]

    def weight(self, id: int) -> Floats:
        found = np.ascontiguousarray(self.graph.constant(id))
        return np.ones_like(found) if self.reach else found

    def slope(self, made: Callable[[], Any]) -> Any:
        return np.float32(1.0) if self.reach else made()

    def send(self, id: int, gradient: Any) -> None:
        """Adds to the gradient of an input of a node; broadcast axes are summed."""
        if id < 0 or self.graph.value(id)[3]:
            return
        shape = self.shape(id)
        while gradient.ndim > len(shape):
            gradient = gradient.sum(axis=1)
        for axis, size in enumerate(shape):
            if axis and size == 1 and gradient.shape[axis] != 1:
                gradient = gradient.sum(axis=axis, keepdims=True)
        known = self.gradients.get(id)
        total = gradient if known is None else known + gradient
        if self.reach:  # numbers would grow with every layer
            total = total > 0
        self.gradients[id] = np.ascontiguousarray(total, np.float32)


def input_gradients(
    graph: _core.Graph, target: int, directions: Floats, picture: Floats | None, *, reach: bool = False
) -> Floats:
    """The gradient of the sum of ``directions * target`` with respect to the only input, for each direction.

    Args:
        graph: of batch 1, as `rewrite.plain` makes it.
        target: the id of a value.
        directions: (N, ...) for a target of shape (1, ...).
        picture: the input, (1, ...); None for `reach`, which needs none.
        reach: what could matter, in place of what does.

    Raises ValueError where an operator on the way has no adjoint here.
    """
    nodes = needed(graph, [target])
    unknown = sorted({node["op"] for node in nodes} - set(_RULES) - set(_SLOPES))
    if unknown:
        raise ValueError(f"network: no gradient is known of {', '.join(unknown)}")
    if len(graph.inputs) != 1 or _batch(graph) != 1:
        raise ValueError("network: expected one input of batch 1")
    back = Backward(graph, {} if reach else _values(graph, nodes, picture), reach)
    back.gradients[target] = np.ascontiguousarray(directions, np.float32)
    for node in reversed(nodes):
        (out,) = node["outputs"]
        gradient = back.gradients.pop(out, None)
        if gradient is not None:
            rule = _RULES.get(node["op"], _elementwise)
            rule(back, node, gradient)
    (source,) = graph.inputs
    empty = np.zeros((len(directions), *back.shape(source)[1:]), np.float32)
    return back.gradients.get(source, empty)


def _batch(graph: _core.Graph) -> int:
    return int(graph.value(graph.inputs[0])[2][0])


def _values(graph: _core.Graph, nodes: list[dict[str, Any]], picture: Floats | None) -> dict[int, Floats]:
    """What the slopes depend on, by one run."""
    linear = ("conv", "conv_transpose", "add", "sub", "concat", "reshape", "transpose", "slice", "avg_pool",
              "global_avg_pool", "linear", "batch_norm", "pad")  # fmt: skip
    wanted = {id for node in nodes if node["op"] not in linear for id in (*node["inputs"], *node["outputs"])}
    ids = sorted(id for id in wanted if id >= 0 and not graph.value(id)[3] and id not in graph.inputs)
    values: dict[int, Floats] = {graph.inputs[0]: np.asarray(picture, np.float32)}
    if ids:
        found = pyconv.compile(made_anew(graph, outputs=ids))(values[graph.inputs[0]])
        values.update(zip(ids, found if isinstance(found, tuple) else (found,)))
    return values


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -80.0, 80.0)))


def _silu(x: Any, _: Node) -> Any:
    s = _sigmoid(x)
    return s * (1.0 + x * (1.0 - s))


def _inside(x: Any, low: float, high: float) -> Any:
    return (x > low) & (x < high)


_SLOPES: dict[str, Callable[[Any, Node], Any]] = {
    "relu": lambda x, _: x > 0,
    "relu6": lambda x, _: _inside(x, 0, 6),
    "clip": lambda x, n: _inside(x, n["attributes"].get("min", -np.inf), n["attributes"].get("max", np.inf)),
    "leaky_relu": lambda x, n: np.where(x > 0, 1.0, n["attributes"].get("alpha", 0.01)),
    "sigmoid": lambda x, _: _sigmoid(x) * (1.0 - _sigmoid(x)),
    "tanh": lambda x, _: 1.0 - np.tanh(x) ** 2,
    "silu": _silu,
    "hard_sigmoid": lambda x, _: _inside(x, -3, 3) / 6.0,
    "hard_swish": lambda x, _: np.where(x <= -3, 0.0, np.where(x >= 3, 1.0, (2.0 * x + 3.0) / 6.0)),
}
"""Slopes of elementwise operators."""


def _elementwise(back: Backward, node: Node, g: Floats) -> None:
    (source,) = node["inputs"]
    back.send(source, g * back.slope(lambda: _SLOPES[node["op"]](back.value(source), node)))


def _conv(back: Backward, node: Node, g: Floats) -> None:
    told, source = node["attributes"], node["inputs"][0]
    for attribute, none in (("activation", "none"),):
        if told.get(attribute, none) != none:
            raise ValueError(f"network: expected activations apart from convolutions, {node['name']} has one")
    back.send(source, _spread(g, back.weight(node["inputs"][1]), told, back.shape(source)[2:]))
    if len(node["inputs"]) > 3:
        back.send(node["inputs"][3], g)


def _spread(g: Floats, weight: Floats, told: Mapping[str, Any], size: tuple[int, ...]) -> Floats:
    """The adjoint of a convolution: transposed without padding, then cut to the picture of `size`."""
    top, _, left, _ = told.get("padding", (0, 0, 0, 0))
    whole = pyconv.conv_transpose2d(
        np.ascontiguousarray(g),
        weight,
        stride=tuple(told.get("stride", (1, 1))),
        dilation=tuple(told.get("dilation", (1, 1))),
        groups=told.get("groups", 1),
    )
    made = np.zeros((*whole.shape[:2], *size), np.float32)
    cut = whole[:, :, top : top + size[0], left : left + size[1]]
    made[:, :, : cut.shape[2], : cut.shape[3]] = cut
    return made


def _conv_transpose(back: Backward, node: Node, g: Floats) -> None:
    told, source = node["attributes"], node["inputs"][0]
    padding = tuple(told.get("padding", (0, 0)))
    sides = padding if len(padding) == 4 else (padding[0], padding[0], padding[1], padding[1])
    found = pyconv.conv2d(
        np.ascontiguousarray(g),
        back.weight(node["inputs"][1]),
        stride=tuple(told.get("stride", (1, 1))),
        padding=sides,
        dilation=tuple(told.get("dilation", (1, 1))),
        groups=told.get("groups", 1),
    )
    height, width = back.shape(source)[2:]
    back.send(source, found[:, :, :height, :width])


def _pool(back: Backward, node: Node, g: Floats) -> None:
    """Tap by tap: a maximum goes to the first tap that has it, a mean to all of them."""
    told, source, out = node["attributes"], node["inputs"][0], node["outputs"][0]
    kh, kw = told["kernel"]
    sh, sw = told.get("stride", (kh, kw))
    (ph, pw), (dh, dw) = told.get("padding", (0, 0)), told.get("dilation", (1, 1))
    height, width = back.shape(source)[2:]
    oh, ow = g.shape[2:]
    tall, wide = (max(n, (o - 1) * s + (k - 1) * d + 1 - p) + p for n, o, s, k, d, p in (
        (height, oh, sh, kh, dh, ph), (width, ow, sw, kw, dw, pw)))  # fmt: skip
    made = np.zeros((*g.shape[:2], tall, wide), np.float32)
    views = [np.s_[:, :, r * dh : r * dh + (oh - 1) * sh + 1 : sh, s * dw : s * dw + (ow - 1) * sw + 1 : sw]
             for r in range(kh) for s in range(kw)]  # fmt: skip
    if node["op"] == "max_pool" and not back.reach:
        x = np.full((1, g.shape[1], tall, wide), -np.inf, np.float32)
        x[:, :, ph : ph + height, pw : pw + width] = back.value(source)
        most, left = back.value(out), np.ones((1, *g.shape[1:]), bool)
        for view in views:
            here = left & (x[view] == most)
            made[view] += g * here
            left &= ~here
    else:
        share = g if back.reach else g / _divisors(node, (height, width), (tall, wide), views)
        for view in views:
            made[view] += share
    back.send(source, made[:, :, ph : ph + height, pw : pw + width])


def _divisors(node: Node, size: tuple[int, ...], padded: tuple[int, ...], views: list[Any]) -> Any:
    """What each mean divides by."""
    told = node["attributes"]
    if told.get("divisor", 0):
        return told["divisor"]
    (ph, pw), inside = told.get("padding", (0, 0)), np.zeros((1, 1, *padded), np.float32)
    if told.get("count_include_pad", 1):
        inside[:, :, : size[0] + 2 * ph, : size[1] + 2 * pw] = 1
    else:
        inside[:, :, ph : ph + size[0], pw : pw + size[1]] = 1
    return sum(inside[view] for view in views)


def _global_avg_pool(back: Backward, node: Node, g: Floats) -> None:
    shape = back.shape(node["inputs"][0])
    pixels = 1 if back.reach else int(np.prod(shape[2:]))
    g = g.reshape(*g.shape[:2], *(1,) * (len(shape) - 2))
    back.send(node["inputs"][0], np.broadcast_to(g / pixels, (len(g), *shape[1:])))


def _add(back: Backward, node: Node, g: Floats) -> None:
    sign = -1 if node["op"] == "sub" and not back.reach else 1
    back.send(node["inputs"][0], g)
    back.send(node["inputs"][1], sign * g)


def _mul(back: Backward, node: Node, g: Floats) -> None:
    a, b = node["inputs"]
    back.send(a, g * back.slope(lambda: back.value(b)))
    back.send(b, g * back.slope(lambda: back.value(a)))


def _concat(back: Backward, node: Node, g: Floats) -> None:
    axis = node["attributes"].get("axis", 1) % g.ndim
    start = 0
    for id in node["inputs"]:
        size = back.shape(id)[axis]
        back.send(id, np.take(g, range(start, start + size), axis=axis))
        start += size


def _reshape(back: Backward, node: Node, g: Floats) -> None:
    source = node["inputs"][0]
    back.send(source, g.reshape(len(g), *back.shape(source)[1:]))


def _transpose(back: Backward, node: Node, g: Floats) -> None:
    rank = g.ndim
    order = [a % rank for a in node["attributes"].get("axes", range(rank)[::-1])]
    if order[0] != 0:
        raise ValueError(f"network: expected the batch to stay in front, {node['name']} moves it")
    back.send(node["inputs"][0], g.transpose(np.argsort(order)))


def _slice(back: Backward, node: Node, g: Floats) -> None:
    told, shape = node["attributes"], back.shape(node["inputs"][0])
    starts, ends = told["starts"], told["ends"]
    axes, steps = told.get("axes", range(len(starts))), told.get("steps", (1,) * len(starts))
    made = np.zeros((len(g), *shape[1:]), np.float32)
    where = [slice(None)] * made.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        where[axis] = slice(start, end if end >= 0 or step > 0 else None, step)
    made[tuple(where)] = g
    back.send(node["inputs"][0], made)


def _pad(back: Backward, node: Node, g: Floats) -> None:
    told, shape = node["attributes"], back.shape(node["inputs"][0])
    if told.get("mode", "constant") != "constant":
        raise ValueError(f"network: no gradient is known of padding by {told['mode']}")
    pads = told["pads"]
    where = tuple(slice(None) if not i else slice(pads[i], pads[i] + n) for i, n in enumerate(shape))
    back.send(node["inputs"][0], g[where])


def _linear(back: Backward, node: Node, g: Floats) -> None:
    back.send(node["inputs"][0], g @ back.weight(node["inputs"][1]))


def _batch_norm(back: Backward, node: Node, g: Floats) -> None:
    inputs, eps = node["inputs"], node["attributes"].get("eps", 1e-5)

    def slope() -> Any:
        scale = 1.0 / np.sqrt(back.value(inputs[2]) + eps)
        if len(inputs) > 3 and inputs[3] >= 0:
            scale = scale * back.value(inputs[3])
        return scale.reshape(-1, *(1,) * (g.ndim - 2))

    back.send(inputs[0], g * back.slope(slope))


def _lrn(back: Backward, node: Node, g: Floats) -> None:
    source, told = node["inputs"][0], node["attributes"]
    size = told["size"]
    if back.reach:
        back.send(source, _windows(g, (size - 1) // 2, size // 2))
        return
    alpha, beta, k = (told[name] for name in ("alpha", "beta", "k"))
    x = back.value(source).astype(np.float64)
    s = k + alpha / size * _windows(x * x, size // 2, (size - 1) // 2)
    met = _windows(g * x * s ** (-beta - 1.0), (size - 1) // 2, size // 2)
    back.send(source, g * s**-beta - 2.0 * alpha * beta / size * x * met)


def _windows(x: Any, before: int, after: int) -> Any:
    """Sums over channels from `before` to `after` each."""
    padded = np.pad(x, ((0, 0), (before, after), (0, 0), (0, 0)))
    return sum(padded[:, i : i + x.shape[1]] for i in range(before + after + 1))


_RULES: dict[str, Callable[[Backward, Node, Floats], None]] = {
    "add": _add,
    "avg_pool": _pool,
    "batch_norm": _batch_norm,
    "concat": _concat,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "global_avg_pool": _global_avg_pool,
    "linear": _linear,
    "lrn": _lrn,
    "max_pool": _pool,
    "mul": _mul,
    "pad": _pad,
    "reshape": _reshape,
    "slice": _slice,
    "sub": _add,
    "transpose": _transpose,
}
"""How each operator sends a gradient back to its inputs."""
