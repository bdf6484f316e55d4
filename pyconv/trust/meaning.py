"""What a graph means, in float64, and how far a computation in float32 may be from that.

Every operator maps values, each with a bound on its error, to values with theirs: |f(x + e) - f(x)| by the
operator's slope or by intervals, and its own roundings of u = 2^-24 each. Bounds hold for both accuracies and
all passes: a convolution counts roundings for a batch norm and a scale that may have moved into its weights, and
those of a transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyconv import _core
from pyconv.study import reference
from pyconv.trust import activations, winograd
from pyconv.trust.compare import U

Doubles = NDArray[np.float64]
Attributes = dict[str, Any]


@dataclass
class Bounded:
    """A value; error is None where nobody asked for bounds."""

    value: Doubles
    error: Any = None
    terms: int = 0
    """Of the sums behind it, where a batch norm may still move into their weights."""

    @property
    def size(self) -> Any:
        """The largest magnitude it may have."""
        return np.abs(self.value) + self.error


Args = Sequence[Any]
OPS: dict[str, Callable[[Attributes, Args], Bounded]] = {}


def _op(*names: str) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        for name in names:
            OPS[name] = function
        return function

    return enter


def _conv(x: Doubles, weight: Doubles, a: Attributes) -> Doubles:
    how: Any = {name: tuple(a.get(name, missing)) for name, missing in _CONV.items()}
    nhwc = x.transpose(0, 2, 3, 1)
    result = reference.conv2d(nhwc, weight, groups=a.get("groups", 1), **how)
    return np.asarray(result.transpose(0, 3, 1, 2))


_CONV = {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1)}


@_op("conv")
def conv(a: Attributes, args: Args) -> Bounded:
    x, weight, bias = args[0], args[1].value, args[2] if len(args) > 2 else None
    shift = 0.0 if bias is None else bias.value[:, None, None]
    value = _conv(x.value, weight, a) + shift
    if x.error is None:
        return Bounded(value)
    taps = np.abs(weight)
    own = U * (weight[0].size + 6) * (_conv(x.size, taps, a) + np.abs(shift))
    stride, edge = a.get("stride", (1, 1))[0], weight.shape[2]
    square = weight.shape[3] == edge and tuple(a.get("stride", (1, 1))) == (stride, stride)
    if square and tuple(a.get("dilation", (1, 1))) == (1, 1) and a.get("groups", 1) == 1:
        sides: Any = tuple(a.get("padding", (0, 0, 0, 0)))
        for m in (m for m, *rest in winograd.SIZES if rest == [edge, stride]):
            scale = winograd.transform(m, x.size, weight, sides, np.abs, stride) + np.abs(shift)
            own = np.maximum(own, U * (winograd.terms(m, edge, weight.shape[1], stride) + 4) * scale)
    return Bounded(value, _conv(x.error, taps, a) + own, weight[0].size)


def _transposed(x: Doubles, weight: Doubles, a: Attributes) -> Doubles:
    """Every source pixel adds its kernel; weight (ic, oc / g, kh, kw)."""
    (sh, sw), (dh, dw) = a.get("stride", (1, 1)), a.get("dilation", (1, 1))
    (eh, ew), g = a.get("output_padding", (0, 0)), a.get("groups", 1)
    top, bottom, left, right = a.get("padding", (0, 0, 0, 0))
    (n, ic, ih, iw), (_, ocg, kh, kw) = x.shape, weight.shape
    height, width = (ih - 1) * sh + dh * (kh - 1) + 1 + eh, (iw - 1) * sw + dw * (kw - 1) + 1 + ew
    full = np.zeros((n, g, ocg, height, width))
    src = x.reshape(n, g, ic // g, ih * iw)
    taps = weight.reshape(g, ic // g, ocg, kh, kw)
    for r in range(kh):
        for s in range(kw):
            part = (taps[:, :, :, r, s].transpose(0, 2, 1) @ src).reshape(n, g, ocg, ih, iw)
            full[..., r * dh : r * dh + ih * sh : sh, s * dw : s * dw + iw * sw : sw] += part
    cut = full[..., top : height - bottom, left : width - right]
    return cut.reshape(n, g * ocg, *cut.shape[3:])


@_op("conv_transpose")
def conv_transpose(a: Attributes, args: Args) -> Bounded:
    x, weight = args[0], args[1].value
    shift = args[2].value[:, None, None] if len(args) > 2 and args[2] is not None else 0.0
    value = _transposed(x.value, weight, a) + shift
    if x.error is None:
        return Bounded(value)
    taps = np.abs(weight)
    terms = weight.shape[0] // a.get("groups", 1) * weight[0, 0].size + 6
    own = U * terms * (_transposed(x.size, taps, a) + np.abs(shift))
    return Bounded(value, _transposed(x.error, taps, a) + own, terms)


@_op("linear")
def linear(a: Attributes, args: Args) -> Bounded:
    x, weight = args[0], args[1].value
    shift = args[2].value if len(args) > 2 and args[2] is not None else 0.0
    value = x.value @ weight.T + shift
    if x.error is None:
        return Bounded(value)
    own = U * (weight.shape[1] + 6) * (x.size @ np.abs(weight).T + np.abs(shift))
    return Bounded(value, x.error @ np.abs(weight).T + own, weight.shape[1])


@_op("batch_norm")
def batch_norm(a: Attributes, args: Args) -> Bounded:
    x, mean, var = args[0], args[1].value, args[2].value
    gamma = args[3].value if len(args) > 3 and args[3] is not None else np.ones_like(mean)
    beta = args[4].value if len(args) > 4 and args[4] is not None else np.zeros_like(mean)
    scale = gamma / np.sqrt(var + a.get("eps", 1e-5))
    shape = (1, -1, *(1,) * (x.value.ndim - 2))
    factor, moved, shift = (v.reshape(shape) for v in (scale, mean * scale, beta))
    value = x.value * factor - moved + shift
    if x.error is None:
        return Bounded(value)
    # Folded, the sum begins with the shift, and each of its roundings may be one of that size.
    own = 4 * U * x.size * np.abs(factor) + (4 + x.terms) * U * (np.abs(moved) + np.abs(shift))
    return Bounded(value, x.error * np.abs(factor) + own, x.terms)


def _activation(name: str) -> Callable[[Attributes, Args], Bounded]:
    def apply(a: Attributes, args: Args) -> Bounded:
        x = args[0]
        if x.error is None:
            return Bounded(activations.ROWS[name][0](x.value))
        return Bounded(*activations.through(name, x.value, x.error, fast=True))

    return apply


OPS.update({name: _activation(name) for name in activations.ROWS})


@_op("add")
def add(a: Attributes, args: Args) -> Bounded:
    x, y = args
    value = x.value + y.value
    return Bounded(value, None if x.error is None else x.error + y.error + U * (x.size + y.size))


@_op("mul")
def mul(a: Attributes, args: Args) -> Bounded:
    x, y = args
    value = x.value * y.value
    if x.error is None:
        return Bounded(value)
    return Bounded(value, x.size * y.error + y.size * x.error + U * x.size * y.size)


@_op("global_avg_pool")
def global_avg_pool(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    axes = tuple(range(2, x.value.ndim))
    value = x.value.mean(axis=axes, keepdims=True)
    if x.error is None:
        return Bounded(value)
    terms = x.value[0, 0].size + 1
    own = U * terms * x.size.mean(axis=axes, keepdims=True)
    return Bounded(value, x.error.mean(axis=axes, keepdims=True) + own)


@_op("global_max_pool")
def global_max_pool(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    axes = tuple(range(2, x.value.ndim))
    error = None if x.error is None else x.error.max(axis=axes, keepdims=True)
    return Bounded(x.value.max(axis=axes, keepdims=True), error)


def _windows(x: Doubles, a: Attributes, fill: float) -> Doubles:
    """View (n, c, oh, ow, kh, kw) of the padded image. With ceil_mode a last window may reach beyond the padding,
    where it starts inside of it."""
    kernel: Any = a["kernel"]
    stride: Any = a.get("stride", kernel)
    padding: Any = a.get("padding", (0, 0))
    dilation: Any = a.get("dilation", (1, 1))
    outs, spans, sides = [], [], [(0, 0), (0, 0)]
    for i in range(2):
        size, span = x.shape[2 + i], dilation[i] * (kernel[i] - 1) + 1
        room = size + 2 * padding[i] - span
        out = (-(-room // stride[i]) if a.get("ceil_mode") else room // stride[i]) + 1
        if a.get("ceil_mode") and (out - 1) * stride[i] >= size + padding[i]:
            out -= 1
        outs.append(out)
        spans.append(span)
        sides.append((padding[i], padding[i] + max(0, (out - 1) * stride[i] - room)))
    padded = np.pad(x, sides, constant_values=fill)
    axes: Any = (2, 3)  # the stubs of numpy 2.2 know one axis
    view: Any = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=axes)
    view = view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
    return np.asarray(view[:, :, : outs[0], : outs[1]])


@_op("max_pool")
def max_pool(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    error = None if x.error is None else _windows(x.error, a, 0.0).max(axis=(4, 5))
    return Bounded(_windows(x.value, a, -np.inf).max(axis=(4, 5)), error)


@_op("avg_pool")
def avg_pool(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    ones = np.ones((1, 1, *x.value.shape[2:]))
    counted = dict(a)
    if a.get("count_include_pad", 1):
        (ph, pw), counted["padding"] = a.get("padding", (0, 0)), (0, 0)
        ones = np.ones((1, 1, x.value.shape[2] + 2 * ph, x.value.shape[3] + 2 * pw))
    count = _windows(ones, counted, 0.0).sum(axis=(4, 5))
    total = _windows(x.value, a, 0.0).sum(axis=(4, 5))
    count = count[:, :, : total.shape[2], : total.shape[3]]
    if x.error is None:
        return Bounded(total / count)
    terms = math.prod(a["kernel"]) + 2
    own = U * terms * _windows(x.size, a, 0.0).sum(axis=(4, 5)) / count
    return Bounded(total / count, _windows(x.error, a, 0.0).sum(axis=(4, 5)) / count + own)


@_op("lrn")
def lrn(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    size, alpha, beta, k = a["size"], a["alpha"], a["beta"], a.get("k", 1.0)

    def root(magnitude: Doubles) -> Doubles:
        sides = ((0, 0), (size // 2, (size - 1) // 2)) + ((0, 0),) * (magnitude.ndim - 2)
        squares = np.pad(magnitude**2, sides)
        total = sum(squares[:, i : i + magnitude.shape[1]] for i in range(size))
        return np.asarray((k + alpha / size * total) ** beta)

    value = x.value / root(np.abs(x.value))
    if x.error is None:
        return Bounded(value)
    least = np.maximum(np.abs(x.value) - x.error, 0.0)
    high, low = x.size / root(least), least / root(x.size)
    magnitude = np.abs(value)
    moved = np.where(
        np.abs(x.value) > x.error, np.maximum(high - magnitude, magnitude - low), high + magnitude
    )
    return Bounded(value, moved + (6 + beta * (size + 4)) * U * high)


_ANY = 50.0
"""Of an exponent's error: beyond, nothing is known of a share."""


@_op("softmax")
def softmax(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    axis = a.get("axis", 1)
    peak = x.value.max(axis=axis, keepdims=True)
    powers = np.exp(x.value - peak)
    value = powers / powers.sum(axis=axis, keepdims=True)
    if x.error is None:
        return Bounded(value)
    n = x.value.shape[axis]
    distance = 2 * (peak - x.value.min(axis=axis, keepdims=True)) + n / 16 + 12
    reach = 2 * x.error.max(axis=axis, keepdims=True)
    moved = np.expm1(np.minimum(reach, _ANY))
    error = value * (moved + distance * U * (1 + moved)) + 2.0**-149
    return Bounded(value, np.where(reach < _ANY, np.minimum(error, 1.0), 1.0))  # a share is within 0 and 1


@_op("pad")
def pad(a: Attributes, args: Args) -> Bounded:
    (x,) = args
    rank = x.value.ndim
    sides = list(zip(a["pads"][:rank], a["pads"][rank:]))
    error = None if x.error is None else np.pad(x.error, sides)
    return Bounded(np.pad(x.value, sides, constant_values=a.get("value", 0.0)), error)


def _moving(move: Callable[[Attributes, Doubles], Doubles]) -> Callable[[Attributes, Args], Bounded]:
    """Of an operator that computes nothing."""

    def apply(a: Attributes, args: Args) -> Bounded:
        x = args[0]
        return Bounded(move(a, x.value), None if x.error is None else move(a, x.error))

    return apply


def _slice(a: Attributes, x: Doubles) -> Doubles:
    index = [slice(None)] * x.ndim
    steps = a.get("steps") or [1] * len(a["axes"])
    for axis, start, end, step in zip(a["axes"], a["starts"], a["ends"], steps):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def _nearest(a: Attributes, x: Doubles) -> Doubles:
    """By whole factors."""
    for axis, size in enumerate(a["sizes"]):
        assert size % x.shape[axis] == 0, a
        x = np.repeat(x, size // x.shape[axis], axis=axis)
    return x


OPS["reshape"] = _moving(lambda a, x: x.reshape(a["shape"]))
OPS["transpose"] = _moving(lambda a, x: x.transpose(a["axes"]))
OPS["identity"] = _moving(lambda a, x: x)
OPS["slice"] = _moving(_slice)
OPS["resize"] = _moving(_nearest)


@_op("concat")
def concat(a: Attributes, args: Args) -> Bounded:
    axis = a.get("axis", 1)
    value = np.concatenate([x.value for x in args], axis=axis)
    if any(x.error is None for x in args):
        return Bounded(value)
    return Bounded(value, np.concatenate([x.error for x in args], axis=axis))


def evaluate(
    graph: _core.Graph, inputs: Iterable[NDArray[Any]], *, bounds: bool, keep: bool = False
) -> list[Bounded]:
    """The outputs of a graph; `keep` holds all values in memory until the end."""
    known: dict[int, Bounded] = {}

    def of(array: NDArray[Any]) -> Bounded:
        doubles = np.asarray(array, np.float64)
        return Bounded(doubles, np.zeros_like(doubles) if bounds else None)

    for id, array in zip(graph.inputs, inputs):
        known[id] = of(array)
    nodes = graph.nodes()
    last = {id: at for at, node in enumerate(nodes) for id in node["inputs"]}
    wanted = set(graph.outputs)
    for at, node in enumerate(nodes):
        args: list[Any] = []
        for id in node["inputs"]:
            if id >= 0 and id not in known and graph.value(id)[3]:
                known[id] = of(graph.constant(id))
            args.append(known[id] if id >= 0 else None)
        (output,) = node["outputs"]
        known[output] = OPS[node["op"]](node["attributes"], args)
        for id in set(node["inputs"]):
            if not keep and last.get(id) == at and id not in wanted:
                known.pop(id, None)
    return [known[id] for id in graph.outputs]
