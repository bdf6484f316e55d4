"""Conversion between channels first and channels last."""

from __future__ import annotations

from pyconv import _core
from pyconv.ops.conv import Array


def nchw_to_nhwc(
    x: Array,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Copy channels-first images to channels last.

    Args:
        x: float32, ``(N, C, H, W)``.
        out: array for the result, C-contiguous and sharing no memory with ``x``.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.
        kernel: force one row of `kernels` by name.

    Returns:
        float32, ``(N, H, W, C)``: the same values, bit for bit.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: a wrong rank or shape, or a kernel that is no transpose row.

    >>> import numpy as np, pyconv
    >>> pyconv.nchw_to_nhwc(np.arange(4, dtype=np.float32).reshape(1, 2, 1, 2))
    array([[[[0., 2.],
             [1., 3.]]]], dtype=float32)
    """
    return _core.nchw_to_nhwc(x, out, threads, max_isa, kernel)


def nhwc_to_nchw(
    x: Array,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Copy channels-last images to channels first: the inverse of `nchw_to_nhwc`.

    Args:
        x: float32, ``(N, H, W, C)``.

    Returns:
        float32, ``(N, C, H, W)``.

    Other arguments and errors as for `nchw_to_nhwc`.

    >>> import numpy as np, pyconv
    >>> x = np.zeros((2, 3, 4, 5), np.float32)
    >>> pyconv.nhwc_to_nchw(pyconv.nchw_to_nhwc(x)).shape
    (2, 3, 4, 5)
    """
    return _core.nhwc_to_nchw(x, out, threads, max_isa, kernel)
