"""Convolution with kernels that are a column times a row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyconv.ops.conv import Array, IntPair, Padding, conv2d, problem_from_shapes


def separable_conv2d(
    x: Array,
    column: Array,
    row: Array,
    bias: Array | None = None,
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    activation: str | None = None,
    accuracy: str = "fast",
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """Convolution of each channel ``c`` with the kernel ``column[c]`` times ``row[c]``, in two passes.

    ``kH + kW`` multiply-adds per output instead of ``kH * kW``: down with ``column``, then across with
    ``row``. The rows between the passes are rounded to float32.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``.
        column: float32, ``(C, kH)``.
        row: float32, ``(C, kW)``.
        bias: float32, ``(C,)``, added once, at the end.
        accuracy: ``"exact"``: each pass gives the same bits on every instruction set and thread count.

    Other arguments and errors as for `conv2d`. Weights whose kernels are separable without one knowing:
    ``conv2d(..., algorithm="separable")``.

    Returns:
        float32, ``(N, C, oH, oW)``, or channels last.

    >>> import numpy as np, pyconv
    >>> x = np.ones((1, 1, 3, 3), np.float32)
    >>> column, row = np.array([[3, 4, 5]], np.float32), np.array([[1, 2, 3]], np.float32)
    >>> pyconv.separable_conv2d(x, column, row)[0, 0]
    array([[72.]], dtype=float32)
    """
    _check(x, "x", 4, "(N, H, W, C)" if layout == "nhwc" else "(N, C, H, W)")
    n, c, h, w = x.shape if layout != "nhwc" else (x.shape[0], x.shape[3], *x.shape[1:3])
    for name, line, form in (("column", column, "(C, kH)"), ("row", row, "(C, kW)")):
        _check(line, name, 2, form)
        if line.shape[0] != c:
            raise ValueError(f"{name}: expected shape {form} with C = {c} channels of x, got {line.shape}")
    if out is not None and isinstance(out, np.ndarray) and np.may_share_memory(out, x):
        raise ValueError("out: expected memory of its own, got an array that overlaps an input")
    p = problem_from_shapes(
        (n, c, h, w), (c, 1, column.shape[1], row.shape[1]), stride=stride, padding=padding,
        dilation=dilation, groups=max(1, c),
    )  # fmt: skip
    between = conv2d(
        x, column[:, None, :, None], stride=(p.sh, 1), padding=(p.pt, p.pb, 0, 0), dilation=(p.dh, 1),
        groups=max(1, c), accuracy=accuracy, layout=layout, threads=threads, max_isa=max_isa,
    )  # fmt: skip
    return conv2d(
        between, row[:, None, None, :], bias, stride=(1, p.sw), padding=(0, 0, p.pl, p.pr),
        dilation=(1, p.dw), groups=max(1, c), activation=activation, accuracy=accuracy, layout=layout,
        out=out, threads=threads, max_isa=max_isa,
    )  # fmt: skip


def _check(array: npt.NDArray[np.float32], name: str, rank: int, form: str) -> None:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a float32 numpy array, got {type(array).__name__}")
    if array.dtype != np.float32 or not array.dtype.isnative:
        raise TypeError(f"{name}: expected dtype float32 in native byte order, got {array.dtype}")
    if array.ndim != rank:
        raise ValueError(f"{name}: expected shape {form}, got {array.shape}")
