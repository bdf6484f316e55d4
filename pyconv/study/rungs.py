"""The lower rungs of the ladder: one convolution from naive Python to blocked loops.

Each rung is a function ``(x, weight, stride=1, padding=0) -> y`` with ``x`` (n, ih, iw, ic) and
``weight`` (oc, ic, kh, kw), float32, square stride and padding, and ``y`` (n, oh, ow, oc). `RUNGS`
lists them from the ground up, each with the sentence that says what makes it faster than the one
below. The compiled ones stand in ``ladder.pyx``; `pyconv.conv2d` is the rest of the climb, and
``python -m benchmarks.ladder`` measures all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyconv.study.ladder import blocked_loops, output_shape, typed_loops, untyped_loops

__all__ = ["RUNGS", "Rung", "numpy_im2col", "numpy_windows", "python_loops"]

Array = NDArray[np.float32]


def _padded(x: Array, padding: int) -> Array:
    return np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))


def python_loops(x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Array:
    """The definition, in pure Python: seven nested loops over lists of floats.

    >>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    >>> python_loops(x, w).shape, float(python_loops(x, w)[0, 0, 0, 0])
    ((1, 2, 2, 3), 18.0)
    """
    y = np.zeros(output_shape(x, weight, stride, padding), np.float32)
    batch, oh, ow, oc = y.shape
    taps = weight.transpose(2, 3, 1, 0)
    kh, kw, ic, _ = taps.shape
    source, filters = _padded(x, padding).tolist(), taps.tolist()
    for n in range(batch):
        for i in range(oh):
            for j in range(ow):
                for o in range(oc):
                    total = 0.0
                    for a in range(kh):
                        for b in range(kw):
                            pixel = source[n][i * stride + a][j * stride + b]
                            tap = filters[a][b]
                            for c in range(ic):
                                total += pixel[c] * tap[c][o]
                    y[n, i, j, o] = total
    return y


def numpy_windows(x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Array:
    """Four loops over outputs; NumPy multiplies and sums one window at a time.

    >>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    >>> float(numpy_windows(x, w)[0, 0, 0, 0])
    18.0
    """
    y = np.zeros(output_shape(x, weight, stride, padding), np.float32)
    _, _, kh, kw = weight.shape
    source, filters = _padded(x, padding), weight.transpose(0, 2, 3, 1)
    for n, i, j, o in np.ndindex(y.shape):
        window = source[n, i * stride : i * stride + kh, j * stride : j * stride + kw]
        y[n, i, j, o] = (window * filters[o]).sum()
    return y


def numpy_im2col(x: Array, weight: Array, stride: int = 1, padding: int = 0) -> Array:
    """Every window copied to a row of a matrix, then one matrix product (im2col).

    >>> x, w = np.ones((1, 4, 4, 2), np.float32), np.ones((3, 2, 3, 3), np.float32)
    >>> float(numpy_im2col(x, w)[0, 0, 0, 0])
    18.0
    """
    shape = output_shape(x, weight, stride, padding)
    oc, ic, kh, kw = weight.shape
    source = _padded(x, padding)
    axes: Any = (1, 2)  # the stubs of numpy 2.2 know one axis
    windows = np.lib.stride_tricks.sliding_window_view(source, (kh, kw), axes)
    columns = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3).reshape(-1, kh * kw * ic)
    taps = weight.transpose(2, 3, 1, 0).reshape(kh * kw * ic, oc)
    y: Array = columns @ taps
    return y.reshape(shape)


@dataclass(frozen=True)
class Rung:
    """A way to compute the convolution, and why it is faster than the rung below."""

    name: str
    run: Callable[..., Array]
    why: str


RUNGS = (
    Rung(
        "python loops",
        python_loops,
        "The definition: the interpreter spends a hundred instructions or more on each multiply-add.",
    ),
    Rung(
        "cython, untyped",
        untyped_loops,
        "Compiled, but every number is still a Python object: without types nothing is gained.",
    ),
    Rung(
        "numpy, window by window",
        numpy_windows,
        "The interpreter is entered once per output instead of once per multiply-add.",
    ),
    Rung(
        "cython, typed loops",
        typed_loops,
        "Machine numbers, no interpreter; but each addition waits for the one before.",
    ),
    Rung(
        "cython, blocked loops",
        blocked_loops,
        "Channels innermost: sums that don't wait for one another, vectorised by the compiler.",
    ),
    Rung(
        "numpy, im2col + BLAS",
        numpy_im2col,
        "A matrix product tuned by hand, sums in wide registers, at the price of copying every window.",
    ),
)
