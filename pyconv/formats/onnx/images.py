"""Convolution, pooling, normalisation and resizing. Images of one axis become images of two, the first
of size 1; those of three and more go to the general operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pyconv.formats.onnx.node import Array, Builder, Built, Node
from pyconv.formats.onnx.resizing import resize, upsample
from pyconv.graph import Tensor


@dataclass
class Window:
    """A window over the axes of an image; `pads`: all befores, then all afters."""

    kernel: list[int]
    stride: list[int]
    dilation: list[int]
    pads: list[int]

    @property
    def rank(self) -> int:
        return len(self.kernel)

    def symmetric(self) -> bool:
        return self.pads[: self.rank] == self.pads[self.rank :]

    def sides(self) -> list[int]:
        """top, bottom, left, right of two axes."""
        top, left, bottom, right = self.pads
        return [top, bottom, left, right]


def lists(n: Node, rank: int, kernel: Sequence[int] | None) -> Window:
    """The attributes of a window; pads still as they are written."""
    given = n.integers("kernel_shape")
    if given is None or (kernel is not None and given != list(kernel)):
        if given is not None or kernel is None:
            n.fail(f"attribute 'kernel_shape': expected {list(kernel or [])}, got {given}")
        given = list(kernel or [])
    stride = n.integers("strides") or [1] * rank
    dilation = n.integers("dilations") or [1] * rank
    pads = n.integers("pads") or [0] * (2 * rank)
    if len(given) != rank or len(stride) != rank or len(dilation) != rank or len(pads) != 2 * rank:
        n.fail(
            f"kernel_shape, strides, dilations, pads: expected one of each (two pads) for {rank} axes, "
            f"got {given}, {stride}, {dilation}, {pads}"
        )
    if min(given) < 1 or min(stride) < 1 or min(dilation) < 1:
        n.fail(f"kernel_shape, strides, dilations: expected 1 or more, got {given}, {stride}, {dilation}")
    return Window(given, stride, dilation, pads)


def auto_pad(n: Node) -> str:
    mode = n.text("auto_pad", "NOTSET")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        n.fail(f"attribute 'auto_pad': expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, got '{mode}'")
    return mode


def halves(totals: Sequence[int], more_after: bool) -> list[int]:
    less = [total // 2 for total in totals]
    more = [total - half for total, half in zip(totals, less)]
    return less + more if more_after else more + less


def window_of(n: Node, sizes: Sequence[int], kernel: Sequence[int] | None = None, least: int | None = None) -> Window:
    """The window over an image of `sizes`, its padding worked out; SAME padding is `least` or more."""
    window, mode = lists(n, len(sizes), kernel), auto_pad(n)
    if mode == "VALID":
        window.pads = [0] * (2 * window.rank)
    if mode.startswith("SAME"):
        totals = []
        for size, k, s, d in zip(sizes, window.kernel, window.stride, window.dilation):
            total = (-(-size // s) - 1) * s + (k - 1) * d + 1 - size
            totals.append(total if least is None else max(least, total))
        window.pads = halves(totals, mode == "SAME_UPPER")
    return window


def with_unit_axis(window: Window) -> Window:
    before, after = window.pads
    return Window([1, *window.kernel], [1, *window.stride], [1, *window.dilation], [0, before, 0, after])


def raised(n: Node, x: Tensor) -> Tensor:
    """(N, C, W) as (N, C, 1, W)."""
    return n.reshaped(x, (*x.shape[:2], 1, *x.shape[2:]))


def lowered(n: Node, x: Tensor) -> Tensor:
    return n.reshaped(x, (*x.shape[:2], *x.shape[3:]))


def need_image(n: Node, x: Tensor) -> None:
    if x.ndim < 3:
        n.fail(f"expected images (N, C, ...), got shape {x.shape}")


def conv(n: Node) -> Built:
    x = n.x()
    need_image(n, x)
    weight = n.constant(1, "weight")
    bias = n.constant(2, "bias") if n.given(2) else None
    if weight.ndim != x.ndim:
        n.fail(f"weight: expected {x.ndim} dimensions, got shape {weight.shape}")
    window = window_of(n, x.shape[2:], weight.shape[2:], least=0)
    groups = n.integer("group", 1)
    if window.rank > 2:
        return n.op("conv_nd", [x, n.x(1), n.optional(2)], stride=window.stride, dilation=window.dilation,
                    padding=window.pads, groups=groups)  # fmt: skip
    one = window.rank == 1
    source: Any = weight[:, :, None] if one else n.x(1)
    if one:
        window, x = with_unit_axis(window), raised(n, x)
    y = n.op("conv", [x, source, n.optional(2) if bias is not None else None], stride=window.stride,
             dilation=window.dilation, padding=window.sides(), groups=groups)  # fmt: skip
    return lowered(n, y) if one else y


def conv_transpose(n: Node) -> Built:
    x = n.x()
    need_image(n, x)
    weight = n.constant(1, "weight")
    if n.given(2):
        n.constant(2, "bias")
    if weight.ndim != x.ndim:
        n.fail(f"weight: expected {x.ndim} dimensions, got shape {weight.shape}")
    window, mode, groups = lists(n, x.ndim - 2, weight.shape[2:]), auto_pad(n), n.integer("group", 1)
    extra = n.integers("output_padding") or [0] * window.rank
    wanted = n.integers("output_shape")
    if len(extra) != window.rank or (wanted is not None and len(wanted) not in (window.rank, x.ndim)):
        n.fail(f"output_padding, output_shape: expected {window.rank} sizes, got {extra} and {wanted}")
    if wanted is None and mode.startswith("SAME"):
        wanted = [size * s for size, s in zip(x.shape[2:], window.stride)]
    if mode == "VALID":
        window.pads = [0] * (2 * window.rank)
    if wanted is not None:
        sizes = zip(x.shape[2:], wanted[-window.rank :], window.kernel, window.stride, window.dilation, extra)
        totals = [s * (size - 1) + e + (k - 1) * d + 1 - out for size, out, k, s, d, e in sizes]
        window.pads = halves(totals, mode == "SAME_UPPER")
    one = window.rank == 1
    source: Any = weight[:, :, None] if one else n.x(1)
    fits = all(0 <= e < max(s, d) for e, s, d in zip(extra, window.stride, window.dilation))
    if window.rank > 2 or not fits or min(window.pads) < 0:
        return n.op("conv_transpose_nd", [x, n.x(1), n.optional(2)], stride=window.stride, groups=groups,
                    dilation=window.dilation, padding=window.pads, output_padding=extra)  # fmt: skip
    if one:
        window, x, extra = with_unit_axis(window), raised(n, x), [0, *extra]
    y = n.op("conv_transpose", [x, source, n.optional(2)], stride=window.stride, dilation=window.dilation,
             padding=window.sides(), output_padding=extra, groups=groups)  # fmt: skip
    return lowered(n, y) if one else y


def quick_pool(n: Node, op: str, x: Tensor, window: Window, ceil: int, **more: Any) -> Tensor | None:
    """The pooling of two axes, where it takes the window; else None."""
    value = float("-inf") if op == "max_pool" else 0.0
    if x.dtype != "float32" or window.rank > 2 or 0 in x.shape or min(window.pads) < 0:
        return None
    if op == "avg_pool" and max(window.dilation) > 1:
        return None
    one = window.rank == 1
    if one:
        window, x = with_unit_axis(window), raised(n, x)
    if not window.symmetric():
        if ceil or (op == "avg_pool" and not more["count_include_pad"]):
            return None
        pads = [0, 0, *window.pads[:2], 0, 0, *window.pads[2:]]
        x = n.op("pad", [x], pads=pads, value=value)
        window.pads = [0] * 4
    if any(p > k // 2 for p, k in zip(window.pads, window.kernel)):
        return None
    y = n.op(op, [x], kernel=window.kernel, stride=window.stride, dilation=window.dilation,
             padding=window.pads[:2], ceil_mode=ceil, **more)  # fmt: skip
    return lowered(n, y) if one else y


def any_pool(n: Node, op: str, x: Tensor, window: Window, ceil: int, **more: Any) -> list[Tensor]:
    return n.ops(op, [x], kernel=window.kernel, stride=window.stride, dilation=window.dilation,
                 padding=window.pads, ceil_mode=ceil, **more)  # fmt: skip


def pool_window(n: Node) -> tuple[Tensor, Window]:
    """The image and its window; negative padding is cut off the image."""
    x = n.x()
    need_image(n, x)
    window = window_of(n, x.shape[2:])
    if min(window.pads) < 0 and auto_pad(n).startswith("SAME"):
        cut = [min(0, p) for p in window.pads]
        x = n.op("pad", [x], pads=[0, 0, *cut[: window.rank], 0, 0, *cut[window.rank :]])
        window.pads = [max(0, p) for p in window.pads]
    return x, window


def rounding(n: Node) -> int:
    ceil = n.integer("ceil_mode", 0) if n.opset >= 10 else 0
    return ceil if auto_pad(n) == "NOTSET" else 0


def max_pool(n: Node) -> Built:
    (x, window), ceil = pool_window(n), rounding(n)
    column = n.integer("storage_order", 0)
    if n.outputs < 2:
        pooled = quick_pool(n, "max_pool", x, window, ceil)
        if pooled is not None:
            return pooled
    positions = int(n.outputs > 1)
    return any_pool(n, "max_pool_nd", x, window, ceil, positions=positions, column_major=column)


def average_pool(n: Node) -> Built:
    (x, window), ceil = pool_window(n), rounding(n)
    more = {"count_include_pad": n.integer("count_include_pad", 0)}
    pooled = quick_pool(n, "avg_pool", x, window, ceil, **more)
    return any_pool(n, "avg_pool_nd", x, window, ceil, **more) if pooled is None else pooled


def lp_pool(n: Node) -> Built:
    (x, window), ceil = pool_window(n), rounding(n)
    return any_pool(n, "lp_pool", x, window, ceil, p=float(n.integer("p", 2)))


def global_pool(op: str, n: Node) -> Built:
    x = n.x()
    need_image(n, x)
    return n.op(op, [x])


def global_lp_pool(n: Node) -> Built:
    x = n.x()
    need_image(n, x)
    window = Window(list(x.shape[2:]), [1] * (x.ndim - 2), [1] * (x.ndim - 2), [0] * (2 * x.ndim - 4))
    return any_pool(n, "lp_pool", x, window, 0, p=float(n.integer("p", 2)))


def batch_norm(n: Node) -> Built:
    n.ignore("consumed_inputs", "is_test")
    momentum, eps = n.number("momentum", 0.9), n.number("epsilon", 1e-5)
    if n.opset < 9 and n.integer("spatial", 1) != 1:
        n.fail("attribute 'spatial': expected 1, got 0")
    x = n.x()
    if n.opset >= 14 and n.integer("training_mode", 0):
        return trained_batch_norm(n, x, momentum, eps)
    for i, what in enumerate(("scale", "bias", "mean", "var"), 1):
        n.constant(i, what)
    return n.op("batch_norm", [x, n.x(3), n.x(4), n.x(1), n.x(2)], eps=eps)


def trained_batch_norm(n: Node, x: Tensor, momentum: float, eps: float) -> Built:
    """By the batch's own mean and variance; and the running ones."""
    axes = [i for i in range(x.ndim) if i != 1]
    channels = (1, x.shape[1], *[1] * (x.ndim - 2))
    mean = n.op("reduce_mean", [x], axes=axes)
    away = n.op("sub", [x, mean])
    var = n.op("reduce_mean", [n.op("mul", [away, away])], axes=axes)
    spread = n.op("sqrt", [n.op("add", [var, number(eps)])])
    scale, bias = (n.reshaped(n.x(i), channels) for i in (1, 2))
    y = n.op("add", [n.op("mul", [n.op("div", [away, spread]), scale]), bias])

    def running(before: Tensor, now: Tensor) -> Tensor:
        old = n.op("mul", [before, number(momentum)])
        return n.op("add", [old, n.op("mul", [n.reshaped(now, before.shape), number(1 - momentum)])])

    return [y, running(n.x(3), mean), running(n.x(4), var)]


def number(value: float) -> Array:
    return np.array(value, np.float32)


def instance_norm(n: Node) -> Built:
    x = n.x()
    need_image(n, x)
    return n.op("instance_norm", [x, n.x(1), n.x(2)], eps=n.number("epsilon", 1e-5))


def lrn(n: Node) -> Built:
    """The window of an even size reaches further after, and the engine's further before."""
    x, size = n.x(), n.integer("size")
    options = {"alpha": n.number("alpha", 1e-4), "beta": n.number("beta", 0.75), "k": n.number("bias", 1.0)}
    if size % 2:
        return n.op("lrn", [x], size=size, **options)
    turn: dict[str, Any] = {"starts": [-1], "ends": [-(2**31)], "steps": [-1], "axes": [1]}
    return n.op("slice", [n.op("lrn", [n.op("slice", [x], **turn)], size=size, **options)], **turn)


BUILDERS: dict[str, Builder] = {
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "GlobalAveragePool": partial(global_pool, "global_avg_pool"),
    "GlobalLpPool": global_lp_pool,
    "GlobalMaxPool": partial(global_pool, "global_max_pool"),
    "InstanceNormalization": instance_norm,
    "LRN": lrn,
    "LpPool": lp_pool,
    "MaxPool": max_pool,
    "Resize": resize,
    "Upsample": upsample,
}
