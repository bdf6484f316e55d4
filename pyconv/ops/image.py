"""Putting arrays together, bordering and resizing images."""

from __future__ import annotations

from collections.abc import Sequence

from pyconv import _core
from pyconv.ops.conv import Array


def concat(
    arrays: Sequence[Array],
    axis: int = 1,
    *,
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """The arrays side by side along one axis.

    Args:
        arrays: list or tuple of float32 arrays, alike but for the size of ``axis``.
        axis: negative ones count from the end.
        out: array for the result, C-contiguous and sharing no memory with the inputs.
        threads: at most so many threads; None: the CPUs this process may use.

    Returns:
        float32, the shape of the first but for ``axis``, whose sizes add up.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: no array, shapes that do not fit, no such axis.

    >>> import numpy as np, pyconv
    >>> pyconv.concat([np.ones((1, 1), np.float32), np.zeros((1, 2), np.float32)])
    array([[1., 0., 0.]], dtype=float32)
    """
    return _core.concat(arrays, axis, out, threads)


def pad(
    x: Array,
    padding: int | Sequence[int],
    *,
    mode: str = "constant",
    value: float = 0.0,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
) -> Array:
    """A border around images.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``.
        padding: int, ``(vertical, horizontal)`` or ``(top, bottom, left, right)``; 0 or more.
        mode: ``"constant"``; ``"reflect"``, mirrored about the edge pixel, which is not repeated;
            ``"replicate"`` or ``"edge"``, the edge pixel.
        value: of the border, for ``mode="constant"``.
        out: array for the result, C-contiguous and sharing no memory with ``x``.
        threads: at most so many threads; None: the CPUs this process may use.

    Returns:
        float32, ``(N, C, top + H + bottom, left + W + right)``, or channels last.

    Raises:
        TypeError: ``x`` is not a native float32 numpy array.
        ValueError: a negative size, an unknown mode, a reflection beyond the image.

    >>> import numpy as np, pyconv
    >>> x = np.array([1, 2, 3], np.float32).reshape(1, 1, 1, 3)
    >>> pyconv.pad(x, (0, 0, 2, 1), mode="reflect")[0, 0]
    array([[3., 2., 1., 2., 3., 2.]], dtype=float32)
    """
    return _core.pad(x, padding, mode, value, layout, out, threads)


def resize(
    x: Array,
    size: int | Sequence[int] | None = None,
    *,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool = False,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """Images at another size, with torch's coordinates.

    An output pixel i looks at the source position ``i * step`` (nearest, rounded down), ``(i + 1/2) *
    step - 1/2``, not below 0 (bilinear), or ``i * (size - 1) / (out - 1)`` (bilinear with
    ``align_corners``). ``step`` is input size over output size, or ``1 / scale_factor`` where that is
    given. Positions are computed in float64; torch computes them in float32, and can differ by one
    source pixel where a position falls on a boundary. Bilinear interpolates along the width, rounds,
    then along the height; a neighbour of weight 0 takes part (0 * inf is NaN).

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``; at least one pixel.
        size: int or ``(height, width)`` of the output.
        scale_factor: instead of ``size``: number or ``(vertical, horizontal)``; the output has
            ``floor(size * factor)`` pixels.
        mode: ``"nearest"`` or ``"bilinear"``.
        align_corners: corner pixels map to corner pixels; bilinear only.
        out: array for the result, C-contiguous and sharing no memory with ``x``.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.

    Returns:
        float32, ``(N, C, height, width)``, or channels last.

    Raises:
        TypeError: ``x`` is not a native float32 numpy array.
        ValueError: neither or both of ``size`` and ``scale_factor``, an empty image, an unknown mode.

    >>> import numpy as np, pyconv
    >>> x = np.array([0, 1], np.float32).reshape(1, 1, 1, 2)
    >>> pyconv.resize(x, (1, 4), mode="bilinear")[0, 0]
    array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    return _core.resize(x, size, scale_factor, mode, align_corners, layout, out, threads, max_isa)
