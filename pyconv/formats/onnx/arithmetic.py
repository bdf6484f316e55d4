"""Activations, functions of one element, and operators of several operands with broadcasting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from pyconv.formats.onnx import idioms, proto
from pyconv.formats.onnx.node import Array, Builder, Built, Node
from pyconv.graph import Tensor


def simple(op: str, n: Node) -> Built:
    return n.op(op, [n.x()])


def with_alpha(op: str, otherwise: float, n: Node) -> Built:
    return n.op(op, [n.x()], alpha=n.number("alpha", otherwise))


def scalar_like(value: float, x: Tensor) -> Array:
    return np.array(value, x.dtype)


def relu(n: Node) -> Built:
    x = n.x()
    return n.op("relu", [x]) if x.dtype == "float32" else n.op("max", [x, scalar_like(0, x)])


def hard_sigmoid(n: Node) -> Built:
    alpha, beta = n.number("alpha", 0.2), n.number("beta", 0.5)
    if (np.float32(alpha), beta) == (np.float32(1 / 6), 0.5):
        return n.op("hard_sigmoid", [n.x()])
    return n.op("affine_unit", [n.x()], alpha=alpha, beta=beta)


def gelu(n: Node) -> Built:
    kind = n.text("approximate", "none")
    if kind not in ("none", "tanh"):
        n.fail(f"attribute 'approximate': expected none or tanh, got '{kind}'")
    return n.op("gelu" if kind == "none" else "gelu_tanh", [n.x()])


def swish(n: Node) -> Built:
    alpha, x = n.number("alpha", 1.0), n.x()
    if alpha == 1.0:
        return n.op("silu", [x])
    return n.op("mul", [x, n.op("sigmoid", [n.op("mul", [x, scalar_like(alpha, x)])])])


def selu(n: Node) -> Built:
    alpha = n.number("alpha", 1.67326319217681884765625)
    return n.op("selu", [n.x()], alpha=alpha, gamma=n.number("gamma", 1.05070102214813232421875))


def prelu(n: Node) -> Built:
    x, slope = n.x(0), n.x(1)
    if x.dtype == "float32":
        return n.op("prelu", [x, slope])
    return n.op("where", [n.op("less", [x, scalar_like(0, x)]), n.op("mul", [x, slope]), x])


def clip(n: Node) -> Built:
    if n.opset < 11:
        low, high = n.number("min", -np.inf), n.number("max", np.inf)
        return clipped(n, n.x(), low, high)
    x, bounds = n.x(), [n.array(1), n.array(2)]
    constant = all(b is not None or not n.given(i + 1) for i, b in enumerate(bounds))
    if constant and x.dtype == "float32" and all(b is None or b.size == 1 for b in bounds):
        low = -np.inf if bounds[0] is None else float(bounds[0].reshape(()))
        high = np.inf if bounds[1] is None else float(bounds[1].reshape(()))
        if not (np.isnan(low) or np.isnan(high)):
            return clipped(n, x, low, high)
    for i, op in ((1, "max"), (2, "min")):
        if n.given(i):
            x = n.op(op, [x, n.x(i)])
    return n.op("identity", [x]) if x is n.x() else x


def clipped(n: Node, x: Tensor, low: float, high: float) -> Tensor:
    if low == 0.0 and high in (6.0, np.inf):
        return n.op("relu6" if high == 6.0 else "relu", [x])
    bounds = {"min": low, "max": high}
    return n.op("clip", [x], **{k: float(v) for k, v in bounds.items() if np.isfinite(v)})


def is_inf(n: Node) -> Built:
    x, positive, negative = n.x(), n.integer("detect_positive", 1), n.integer("detect_negative", 1)
    found = n.op("isinf", [x])
    if positive and negative:
        return found
    op = "greater" if positive else "less"
    wanted = n.op(op, [x, scalar_like(0, x)]) if positive or negative else n.op("logical_xor", [found, found])
    return n.op("logical_and", [found, wanted])


def pair(op: str, n: Node) -> Built:
    return n.op(op, [n.x(0), n.x(1)])


def scaled_or_shifted(op: str, n: Node) -> Built:
    """mul or add; by a number for each channel of what a convolution or a batch norm gave, it is a batch
    norm, which the passes fold into the convolution."""
    if op == "mul" and (found := activation(idioms.product, n)) is not None:
        return found
    for i in (0, 1):
        x, factors = n.x(i), n.array(1 - i)
        if factors is None or x.is_constant or x.dtype != "float32" or x.ndim != 4:
            continue
        made, inputs, attributes = n.made_of(x)
        channels = x.shape[1]
        if channels > 1 and made in ("conv", "batch_norm") and per_channel(factors, channels):
            values = np.ascontiguousarray(factors.reshape(-1))
            return channel_norm(n, x, inputs if made == "batch_norm" else (), attributes, op, values)
    return pair(op, n)


def quotient(n: Node) -> Built:
    found = activation(idioms.quotient, n)
    return pair("div", n) if found is None else found


def activation(find: Callable[[Node, Tensor, Tensor], Tensor | None], n: Node) -> Tensor | None:
    """What `find` makes of the operands, where they are no constants both, and of its shape."""
    a, b = n.x(0), n.x(1)
    if a.dtype != "float32" or b.dtype != "float32" or (a.is_constant and b.is_constant):
        return None
    return find(n, a, b)


def per_channel(array: Array, channels: int) -> bool:
    return array.shape in ((channels, 1, 1), (1, channels, 1, 1))


def channel_norm(
    n: Node, x: Tensor, before: Sequence[Tensor | None], attributes: Mapping[str, Any], op: str, values: Array
) -> Tensor:
    """batch_norm of x, or of what the batch norm that made x was given."""
    one, zero = np.ones_like(values), np.zeros_like(values)
    if not before:
        norm = [zero, one, values, zero] if op == "mul" else [zero, one, one, values]
        return n.op("batch_norm", [x, *norm], eps=0.0)
    source, mean, var, weight, bias = before
    scale, shift = (n.known(t) for t in (weight, bias))
    scale, shift = (scale * values, shift * values) if op == "mul" else (scale, shift + values)
    return n.op("batch_norm", [source, mean, var, scale, shift], **attributes)


def power(n: Node) -> Built:
    base, exponent = n.x(0), n.x(1)
    value = n.array(1)
    if value is not None and value.size == 1 and value.ndim <= base.ndim and base.dtype == "float32":
        number = float(value.reshape(()))
        if number == 2.0:
            return n.op("mul", [base, base])
        if number == 1.0:
            return n.op("identity", [base])
    if exponent.dtype == base.dtype:
        return n.op("pow", [base, exponent])
    if base.dtype != "float32" and exponent.dtype != "float32":
        wide = [n.op("cast", [t], to="int64") for t in (base, exponent)]
    else:
        wide = [t if t.dtype == "float32" else n.op("cast", [t], to="float32") for t in (base, exponent)]
    result = n.op("pow", wide)
    return result if result.dtype == base.dtype else n.op("cast", [result], to=base.dtype)


def modulo(n: Node) -> Built:
    return n.op("fmod" if n.integer("fmod", 0) else "mod", [n.x(0), n.x(1)])


def chain(op: str, n: Node) -> Built:
    result = n.x(0)
    if n.inputs == 1:
        return n.op("identity", [result])
    for i in range(1, n.inputs):
        result = n.op(op, [result, n.x(i)])
    return result


def mean(n: Node) -> Built:
    total = chain("add", n)
    assert isinstance(total, Tensor)
    return n.op("div", [total, scalar_like(n.inputs, total)])


def where(n: Node) -> Built:
    return n.op("where", [n.x(0), n.x(1), n.x(2)])


def cast(n: Node) -> Built:
    n.ignore("saturate", "round_mode")
    to = proto.dtype_of(n.integer("to"), "attribute 'to'")
    x = n.x()
    return n.op("identity", [x]) if x.dtype == to else n.op("cast", [x], to=to)


def cast_like(n: Node) -> Built:
    n.ignore("saturate", "round_mode")
    x, to = n.x(0), n.x(1).dtype
    return n.op("identity", [x]) if x.dtype == to else n.op("cast", [x], to=to)


def quantize(n: Node) -> Built:
    n.ignore("saturate", "precision")
    to = n.integer("output_dtype", 0)
    attributes = {"to": proto.dtype_of(to, "attribute 'output_dtype'")} if to else {}
    return quantisation(n, "quantize_linear", attributes)


def dequantize(n: Node) -> Built:
    if n.integer("output_dtype", 0) not in (0, 1):
        n.fail("attribute 'output_dtype': expected float32")
    return quantisation(n, "dequantize_linear", {})


def quantisation(n: Node, op: str, attributes: dict[str, str]) -> Tensor:
    block = n.integer("block_size", 0)
    x, scale, zero = n.x(0), n.x(1), n.optional(2)
    axis = n.integer("axis", 1)
    if block:
        return in_blocks(n, op, attributes, axis, block)
    if int(np.prod(scale.shape)) == 1:
        scale = n.reshaped(scale, ())
        zero = None if zero is None else n.reshaped(zero, ())
    return n.op(op, [x, scale, zero], axis=axis, **attributes)


def in_blocks(n: Node, op: str, attributes: dict[str, str], axis: int, block: int) -> Tensor:
    """One scale for `block` neighbours along the axis: scales are written out, then it is arithmetic."""
    x, scale, zero = n.x(0), n.x(1), n.optional(2)
    if not -x.ndim <= axis < x.ndim or scale.ndim != x.ndim or block < 1:
        n.fail(f"scale: expected {x.ndim} dimensions and blocks of 1 or more along axis {axis}, got {scale.shape}")
    axis %= x.ndim

    def written_out(t: Tensor) -> Tensor:
        apart = n.reshaped(t, (*t.shape[: axis + 1], 1, *t.shape[axis + 1 :]))
        wide = n.op("expand", [apart], shape=[1] * (axis + 1) + [block] + [1] * (t.ndim - axis - 1))
        sizes = [s * block if i == axis else s for i, s in enumerate(t.shape)]
        return n.op("slice", [n.reshaped(wide, sizes)], starts=[0], ends=[x.shape[axis]], axes=[axis])

    if op == "dequantize_linear":
        away = n.op("cast", [x], to="float32")
        if zero is not None:
            away = n.op("sub", [away, n.op("cast", [written_out(zero)], to="float32")])
        return n.op("mul", [away, written_out(scale)])
    to = attributes.get("to", zero.dtype if zero is not None else "uint8")
    if to not in ("uint8", "int8"):
        n.fail(f"zero: expected uint8 or int8, got {to}")
    steps = n.op("round", [n.op("div", [x, written_out(scale)])])
    if zero is not None:
        steps = n.op("add", [steps, n.op("cast", [written_out(zero)], to="float32")])
    return n.op("cast", [steps], to=to)


_SIMPLE = {
    "Abs": "abs", "Ceil": "ceil", "Erf": "erf", "Exp": "exp", "Floor": "floor", "HardSwish": "hard_swish",
    "Identity": "identity", "IsNaN": "isnan", "Log": "log", "Mish": "mish", "Neg": "neg", "Not": "logical_not",
    "Reciprocal": "reciprocal", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign", "Softplus": "softplus",
    "Softsign": "softsign", "Sqrt": "sqrt", "Tanh": "tanh",
}  # fmt: skip
_PAIRS = {
    "And": "logical_and", "Equal": "equal", "Greater": "greater", "GreaterOrEqual": "greater_equal",
    "Less": "less", "LessOrEqual": "less_equal", "Or": "logical_or", "Sub": "sub", "Xor": "logical_xor",
}  # fmt: skip

BUILDERS: dict[str, Builder] = {
    **{name: partial(simple, op) for name, op in _SIMPLE.items()},
    **{name: partial(pair, op) for name, op in _PAIRS.items()},
    "Cast": cast,
    "CastLike": cast_like,
    "Add": partial(scaled_or_shifted, "add"),
    "Mul": partial(scaled_or_shifted, "mul"),
    "Celu": partial(with_alpha, "celu", 1.0),
    "Clip": clip,
    "DequantizeLinear": dequantize,
    "Div": quotient,
    "Elu": partial(with_alpha, "elu", 1.0),
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "IsInf": is_inf,
    "LeakyRelu": partial(with_alpha, "leaky_relu", 0.01),
    "Max": partial(chain, "max"),
    "Mean": mean,
    "Min": partial(chain, "min"),
    "Mod": modulo,
    "PRelu": prelu,
    "Pow": power,
    "QuantizeLinear": quantize,
    "Relu": relu,
    "Selu": selu,
    "Sum": partial(chain, "add"),
    "Swish": swish,
    "ThresholdedRelu": partial(with_alpha, "thresholded_relu", 1.0),
    "Where": where,
}
