"""Reductions, positions of extremes, softmax, and matrix products."""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np

from pyconv.formats.onnx.node import Array, Builder, Built, Node
from pyconv.graph import Tensor


def reduction(op: str, since: int, n: Node) -> Built:
    """`since`: the opset in which the axes became an input."""
    x = n.x()
    keep = n.integer("keepdims", 1)
    axes = n.ints_since(since, "axes", 1, "axes")
    noop = n.opset >= since and n.integer("noop_with_empty_axes", 0)
    if not axes:
        if noop:
            alone = {"reduce_l1": "abs", "reduce_l2": "abs", "reduce_log_sum": "log"}.get(op, "identity")
            return n.op("mul", [x, x]) if op == "reduce_sum_square" else n.op(alone, [x])
        axes = list(range(x.ndim))
    if op == "reduce_mean" and x.ndim == 4 and sorted(a % 4 for a in axes) == [2, 3] and 0 not in x.shape:
        pooled = n.op("global_avg_pool", [x])
        return pooled if keep else n.reshaped(pooled, x.shape[:2])
    if x.dtype == "bool" and op in ("reduce_max", "reduce_min"):
        return n.op(op, [x], axes=axes, keepdims=keep)
    return n.op(op, [x], axes=axes, keepdims=keep)


def arg_extreme(op: str, n: Node) -> Built:
    last = n.integer("select_last_index", 0) if n.opset >= 12 else 0
    return n.op(op, [n.x()], axis=n.integer("axis", 0), keepdims=n.integer("keepdims", 1), last=last)


def top_k(n: Node) -> Built:
    n.ignore("sorted")
    k = [n.integer("k")] if n.opset < 10 else n.constant_ints(1, "k")
    if len(k) != 1:
        n.fail(f"k: expected one number, got {len(k)}")
    largest = n.integer("largest", 1) if n.opset >= 11 else 1
    return n.ops("top_k", [n.x()], k=k[0], axis=n.integer("axis", -1), largest=largest)


def softmax(op: str, n: Node) -> Built:
    x = n.x()
    axis = n.integer("axis", 1 if n.opset < 13 else -1)
    if x.ndim == 0 or not -x.ndim <= axis <= x.ndim - (n.opset >= 13):
        n.fail(f"attribute 'axis': expected an axis of {x.shape}, got {axis}")
    if n.opset >= 13 or axis % x.ndim == x.ndim - 1:
        return n.op(op, [x], axis=axis)
    axis = axis + x.ndim if axis < 0 else axis
    flat = n.reshaped(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))
    return n.reshaped(n.op(op, [flat], axis=-1), x.shape)


def matmul(n: Node) -> Built:
    a, b, weight = n.x(0), n.x(1), n.array(1)
    if a.ndim == 0 or b.ndim == 0:
        n.fail("expected matrices or vectors, got a scalar")
    left, right = a.shape, b.shape
    if a.ndim == 1:
        a = n.reshaped(a, (1, *left))
    if weight is not None and b.ndim <= 2 and b.dtype == "float32" and not a.is_constant:
        turned = np.ascontiguousarray(weight.reshape(weight.shape[0], -1).T)
        result = n.op("linear", [a, turned])
    else:
        if b.ndim == 1:
            b = n.reshaped(b, (*right, 1))
        result = n.op("matmul", [a, b])
    shape = list(result.shape)
    if len(right) == 1:
        shape.pop()
    if len(left) == 1:
        shape.pop(-1 if len(right) == 1 else -2)
    return result if len(shape) == result.ndim else n.reshaped(result, shape)


def gemm(n: Node) -> Built:
    alpha, beta = n.number("alpha", 1.0), n.number("beta", 1.0)
    a, b, c = n.x(0), n.x(1), n.optional(2)
    turned_a, turned_b = n.integer("transA", 0), n.integer("transB", 0)
    if a.ndim != 2 or b.ndim != 2:
        n.fail(f"expected matrices, got shapes {a.shape} and {b.shape}")
    if a.dtype != "float32" and (alpha, beta) != (1.0, 1.0):
        n.fail(f"attributes 'alpha' and 'beta': expected 1 for {a.dtype}")
    if turned_a:
        a = n.op("transpose", [a], axes=[1, 0])
    weight, bias = n.array(1), n.array(2)
    columns = b.shape[0 if turned_b else 1]
    if weight is not None and a.dtype == "float32" and not a.is_constant:
        weight = scaled(weight if turned_b else weight.T, alpha)
        if c is None or (bias is not None and (bias.size == 1 or bias.shape in ((columns,), (1, columns)))):
            row = None if bias is None else scaled(np.broadcast_to(bias.reshape(-1), (columns,)), beta)
            return n.op("linear", [a, weight, row])
        result, alpha = n.op("linear", [a, weight]), 1.0
    else:
        result = n.op("matmul", [a, n.op("transpose", [b], axes=[1, 0]) if turned_b else b])
    if alpha != 1.0:
        result = n.op("mul", [result, np.array(alpha, np.float32)])
    if c is None:
        return result
    if beta != 1.0:
        c = n.op("mul", [c, np.array(beta, np.float32)])
    return n.op("add", [result, c])


def scaled(array: Array, factor: float) -> Array:
    dense = np.ascontiguousarray(array)
    return dense if factor == 1.0 else dense * np.float32(factor)


def dropout(n: Node) -> Built:
    n.ignore("seed", "is_test")
    if n.opset < 12:
        n.ignore("ratio")
    elif n.given(2) and bool(n.constant(2, "training_mode").any()):
        if not n.given(1) or bool(n.constant(1, "ratio").any()):
            n.fail("training_mode: expected false, or a ratio of 0; nothing is dropped at random")
    n.skip(1)
    x: Tensor = n.x()
    outputs: list[Tensor | Array | None] = [n.op("identity", [x])]
    if n.outputs > 1:
        outputs.append(n.full(x.shape, True, np.bool_) if n.opset >= 10 else n.full(x.shape, 1, x.dtype))
    return outputs


_REDUCTIONS = {
    "ReduceL1": ("reduce_l1", 18), "ReduceL2": ("reduce_l2", 18), "ReduceLogSum": ("reduce_log_sum", 18),
    "ReduceLogSumExp": ("reduce_log_sum_exp", 18), "ReduceMax": ("reduce_max", 18),
    "ReduceMean": ("reduce_mean", 18), "ReduceMin": ("reduce_min", 18), "ReduceProd": ("reduce_prod", 18),
    "ReduceSum": ("reduce_sum", 13), "ReduceSumSquare": ("reduce_sum_square", 18),
}  # fmt: skip

BUILDERS: dict[str, Builder] = {
    **{name: partial(reduction, *row) for name, row in _REDUCTIONS.items()},
    "ArgMax": partial(arg_extreme, "argmax"),
    "ArgMin": partial(arg_extreme, "argmin"),
    "Dropout": dropout,
    "Gemm": gemm,
    "LogSoftmax": partial(softmax, "log_softmax"),
    "MatMul": matmul,
    "Softmax": partial(softmax, "softmax"),
    "TopK": top_k,
}
