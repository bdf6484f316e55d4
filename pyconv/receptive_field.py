"""Receptive fields: how many pixels of the input one output of each node depends on.

Along one axis a window of k taps, d pixels apart, over values that each see r pixels and stand j pixels
apart, sees r + (k - 1) d j; with stride s its outputs stand s j apart (Araujo, Norris and Sim, "Computing
Receptive Fields of Convolutional Neural Networks", Distill 2019). Padding changes neither, so a field may be
larger than the picture. A node with several inputs sees what the one that sees most does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from pyconv import _core

Shape = Sequence[int]

_POOLS = {"max_pool", "avg_pool", "max_pool_nd", "avg_pool_nd", "lp_pool"}
_WEIGHT = {"conv": 1, "conv_nd": 1, "inverted_residual": 3}
"""Which input holds the taps of a convolution."""
_TRANSPOSED = {"conv_transpose", "conv_transpose_nd"}
_WHOLE = {"global_avg_pool", "global_max_pool", "instance_norm"}
_TAPS = {"linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}


@dataclass(frozen=True)
class Field:
    """What one value of a tensor sees, by axis of the picture.

    ``size`` is in pixels of the network's input, ``jump`` their number from one value to the next (0
    where all values see the same), ``axes`` the tensor's axis that runs along, None where there is none left.
    """

    size: tuple[Fraction, ...]
    jump: tuple[Fraction, ...]
    axes: tuple[int | None, ...]

    def window(self, axis: int, taps: int, dilation: int, stride: Fraction) -> Field:
        """Behind a window over a tensor's axis."""
        size, jump = list(self.size), list(self.jump)
        for i, own in enumerate(self.axes):
            if own == axis:
                size[i] += (taps - 1) * dilation * jump[i]
                jump[i] *= stride
        return replace(self, size=tuple(size), jump=tuple(jump))

    def whole(self, axis: int, values: int) -> Field:
        """Behind something that sees all `values` along a tensor's axis."""
        return self.window(axis, max(1, values), 1, Fraction(0))

    def moved(self, axes: dict[int, int]) -> Field:
        """In a tensor whose axis ``axes[a]`` was axis `a` of this one."""
        return replace(self, axes=tuple(None if a is None else axes.get(a) for a in self.axes))


def receptive_fields(graph: _core.Graph) -> dict[int, Field]:
    """The field of every value that depends on an input with a spatial axis, by the value's id.

    >>> import pyconv
    >>> from pyconv import nn
    >>> from pyconv.receptive_field import receptive_fields
    >>> three = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3)))
    >>> graph = pyconv.compile(three, (1, 1, 9, 9)).graph
    >>> [int(s) for s in receptive_fields(graph)[graph.outputs[0]].size]
    [7, 7]
    """
    fields: dict[int, Field] = {}
    for id in graph.inputs:
        rank = len(graph.value(id)[2])
        if rank >= 3:
            one = (Fraction(1),) * (rank - 2)
            first = 1 if _channels_last(graph, id, rank) else 2
            fields[id] = Field(one, one, tuple(range(first, first + rank - 2)))
    for node in graph.nodes():
        seen = [_behind(node, i, graph, fields[i]) for i in node["inputs"] if i in fields]
        if seen:
            merged = _largest(seen)
            fields.update(dict.fromkeys(node["outputs"], merged))
    return fields


def _channels_last(graph: _core.Graph, id: int, rank: int) -> bool:
    """Whether all that the network does with an input begins with bringing its channels to the front."""
    order = [0, rank - 1, *range(1, rank - 1)]
    readers = [node for node in graph.nodes() if id in node["inputs"]]
    return bool(readers) and all(
        node["op"] == "picture" or list(node["attributes"].get("axes", ())) == order for node in readers
    )


def _largest(fields: list[Field]) -> Field:
    axes = max(len(field.size) for field in fields)
    fields = [field for field in fields if len(field.size) == axes]
    sizes = tuple(max(field.size[i] for field in fields) for i in range(axes))
    jumps = tuple(max(field.jump[i] for field in fields) for i in range(axes))
    kept = (next((f.axes[i] for f in fields if f.axes[i] is not None), None) for i in range(axes))
    return Field(sizes, jumps, tuple(kept))


def _behind(node: dict[str, Any], source: int, graph: _core.Graph, field: Field) -> Field:
    """The field of a node's outputs as far as it comes from one of its inputs."""
    op, attributes = node["op"], node["attributes"]
    before, after = graph.value(source)[2], graph.value(node["outputs"][0])[2]
    if (op in _POOLS or op in _WEIGHT) and source == node["inputs"][0]:
        return _behind_window(node, graph, field, len(before))
    if op in _TRANSPOSED:
        return _behind_transposed(node, graph, field, len(before))
    if op == "picture":
        return field.moved({1: 2, 2: 3})
    if op == "reshape":
        return _reshaped(field, before, after)
    if op == "transpose":
        order = attributes.get("axes", range(len(before))[::-1])
        return field.moved({old % len(before): new for new, old in enumerate(order)})
    if op == "slice":
        return _sliced(field, attributes, len(before))
    if op == "resize":
        return _resized(field, attributes, before, after)
    whole = _axes_seen_whole(op, attributes, len(before))
    for axis in whole:
        field = field.whole(axis, before[axis])
    if len(after) < len(before):
        kept = [a for a in range(len(before)) if a not in whole]
        return field.moved({a: i for i, a in enumerate(kept)})
    return field.moved({a: a + len(after) - len(before) for a in range(len(before))})


def _axes_seen_whole(op: str, attributes: dict[str, Any], rank: int) -> list[int]:
    if op in _WHOLE:
        return list(range(2, rank))
    if op in ("linear", "matmul"):
        return [rank - 1]
    if op.startswith("reduce_"):
        return [a % rank for a in attributes.get("axes", range(rank))]
    if op in ("argmax", "argmin", "top_k", "softmax", "log_softmax"):
        return [attributes.get("axis", -1) % rank]
    return []


def _behind_window(node: dict[str, Any], graph: _core.Graph, field: Field, rank: int) -> Field:
    attributes = node["attributes"]
    weight = _WEIGHT.get(node["op"])
    kernel = attributes["kernel"] if weight is None else graph.value(node["inputs"][weight])[2][2:]
    otherwise = kernel if node["op"] in ("max_pool", "avg_pool") else (1,) * len(kernel)
    strides = attributes.get("stride", otherwise)
    dilations = attributes.get("dilation", (1,) * len(kernel))
    for axis in range(2, rank):
        i = axis - 2
        field = field.window(axis, kernel[i], dilations[i], Fraction(strides[i]))
    return field


def _behind_transposed(node: dict[str, Any], graph: _core.Graph, field: Field, rank: int) -> Field:
    """One output takes every stride-th tap of the kernel."""
    kernel = graph.value(node["inputs"][1])[2][2:]
    ones = (1,) * len(kernel)
    strides = node["attributes"].get("stride", ones)
    dilations = node["attributes"].get("dilation", ones)
    for axis in range(2, rank):
        i = axis - 2
        taps = -(-((kernel[i] - 1) * dilations[i] + 1) // strides[i])
        field = field.window(axis, taps, 1, Fraction(1, strides[i]))
    return field


def _reshaped(field: Field, before: Shape, after: Shape) -> Field:
    """An axis stays one where as many values stand before it and along it; else it is seen whole."""
    starts: dict[tuple[int, int], int] = {}
    axes: dict[int, int] = {}
    product = 1
    for axis, size in enumerate(after):
        starts.setdefault((product, size), axis)
        product *= size
    product = 1
    for axis, size in enumerate(before):
        if (product, size) in starts:
            axes[axis] = starts[product, size]
        else:
            field = field.whole(axis, size)
        product *= size
    return field.moved(axes)


def _sliced(field: Field, attributes: dict[str, Any], rank: int) -> Field:
    starts = attributes.get("starts", ())
    axes, steps = attributes.get("axes", range(len(starts))), attributes.get("steps", (1,) * len(starts))
    for axis, step in zip(axes, steps):
        field = field.window(axis % rank, 1, 1, Fraction(abs(step)))
    return field


def _resized(field: Field, attributes: dict[str, Any], before: Shape, after: Shape) -> Field:
    taps = _TAPS.get(attributes.get("mode", "nearest"), 1)
    for axis, (old, new) in enumerate(zip(before, after)):
        if old != new and new:
            field = field.window(axis, min(taps, old), 1, Fraction(old, new))
    return field
