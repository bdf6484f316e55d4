"""Sums and products of arrays, with numpy's broadcasting of the smaller to the larger."""

from __future__ import annotations

from pyconv import _core
from pyconv.ops.conv import Array


def add(
    a: Array,
    b: Array | float,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``a + b``, rounded once.

    Args:
        a: float32, any shape.
        b: float32 array or a number. The shape of one of the two must broadcast to that of the other
            by numpy's rules: the same shape, one number per channel as ``(C, 1, 1)`` in NCHW or
            ``(C,)`` in NHWC, one per image and channel as ``(N, C, 1, 1)``.
        out: array of the larger shape, C-contiguous; it may be an input of that very shape, and
            otherwise shares no memory with the inputs.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.

    Returns:
        float32, of the larger shape.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: shapes of which none broadcasts to the other; ``out`` of another shape or
            overlapping an input in part.

    >>> import numpy as np, pyconv
    >>> pyconv.add(np.ones((2, 2), np.float32), np.array([1, 2], np.float32))
    array([[2., 3.],
           [2., 3.]], dtype=float32)
    """
    return _core.add(a, b, out, threads, max_isa)


def mul(
    a: Array,
    b: Array | float,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``a * b``, rounded once. Arguments and errors as for `add`.

    >>> import numpy as np, pyconv
    >>> x = np.ones((1, 2, 1, 2), np.float32)
    >>> pyconv.mul(x, np.array([2, 3], np.float32).reshape(2, 1, 1))[0, :, 0]
    array([[2., 2.],
           [3., 3.]], dtype=float32)
    """
    return _core.mul(a, b, out, threads, max_isa)
