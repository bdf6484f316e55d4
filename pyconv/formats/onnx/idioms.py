"""Activations that exporters write out in several nodes, made one again, so that convolutions can take them.

    x sigmoid(x)                      silu
    x tanh(softplus(x))               mish
    x hard_sigmoid(x)                 hard_swish
    relu6(x + 3) / 6                  hard_sigmoid
    x relu6(x + 3) / 6                hard_swish
    x (erf(x / sqrt2) + 1) / 2        gelu

The nodes in between stay where something else reads them, and are dropped where nothing does.
"""

from __future__ import annotations

import numpy as np

from pyconv.formats.onnx.node import Node
from pyconv.graph import Tensor

_SQRT2 = float(np.sqrt(2.0))


def product(n: Node, a: Tensor, b: Tensor) -> Tensor | None:
    """What a * b is, where it is one of these."""
    for x, y in ((a, b), (b, a)):
        made, inputs, _ = n.made_of(y)
        if made in ("sigmoid", "hard_sigmoid") and inputs[0] is x:
            return n.op("silu" if made == "sigmoid" else "hard_swish", [x])
        if made == "tanh" and inputs[0] is not None:
            inner, sources, _ = n.made_of(inputs[0])
            if inner == "softplus" and sources[0] is x:
                return n.op("mish", [x])
        number = scalar(n, y)
        if number is not None and near(number, 1 / 6):
            return a_sixth(n, x)
        if number == 0.5:
            return half(n, x)
    return None


def quotient(n: Node, a: Tensor, b: Tensor) -> Tensor | None:
    """Likewise a / b."""
    number = scalar(n, b)
    if number == 6.0:
        return a_sixth(n, a)
    return half(n, a) if number == 2.0 else None


def a_sixth(n: Node, x: Tensor) -> Tensor | None:
    source = relu6_of_three_more(n, x)
    if source is not None:
        return n.op("hard_sigmoid", [source])
    made, factors, _ = n.made_of(x)
    if made == "mul":
        for factor, other in (factors, factors[::-1]):
            if factor is not None and other is not None and relu6_of_three_more(n, other) is factor:
                return n.op("hard_swish", [factor])
    return None


def relu6_of_three_more(n: Node, y: Tensor) -> Tensor | None:
    """x, where y is relu6(x + 3)."""
    made, inputs, _ = n.made_of(y)
    return without(n, inputs[0], 3.0) if made == "relu6" and inputs[0] is not None else None


def half(n: Node, x: Tensor) -> Tensor | None:
    """gelu of what is in x (erf(x / sqrt2) + 1)."""
    made, factors, _ = n.made_of(x)
    if made != "mul":
        return None
    for factor, other in (factors, factors[::-1]):
        inside = None if other is None else without(n, other, 1.0)
        made, inputs, _ = ("", (), None) if inside is None else n.made_of(inside)
        if made != "erf" or inputs[0] is None:
            continue
        scaled, parts, _ = n.made_of(inputs[0])
        for part, by in (parts, parts[::-1]) if len(parts) == 2 else ():
            number = None if by is None else scalar(n, by)
            wanted = {"div": _SQRT2, "mul": 1 / _SQRT2}.get(scaled, 0.0)
            if part is factor and number is not None and near(number, wanted):
                return n.op("gelu", [factor])
    return None


def without(n: Node, y: Tensor, number: float) -> Tensor | None:
    """x, where y is x + number."""
    made, terms, _ = n.made_of(y)
    if made == "add":
        for x, other in (terms, terms[::-1]):
            if x is not None and other is not None and scalar(n, other) == number and not x.is_constant:
                return x
    return None


def scalar(n: Node, x: Tensor) -> float | None:
    """A constant of one number that changes no shape."""
    if not x.is_constant or x.dtype != "float32" or x.ndim > 1 or (x.ndim == 1 and x.shape[0] != 1):
        return None
    return float(n.known(x).reshape(()))


def near(a: float, b: float) -> bool:
    """As close as float32, or a few digits of it, can say; exporters write 1.4142135 or 1.41421."""
    return bool(abs(a - b) <= 4e-6 * abs(b))
