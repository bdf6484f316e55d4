"""Pooling: the maximum or the mean of windows, and of whole images."""

from __future__ import annotations

from pyconv import _core
from pyconv.ops.conv import Array, IntPair


def max_pool2d(
    x: Array,
    kernel_size: IntPair,
    *,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    dilation: IntPair = 1,
    ceil_mode: bool = False,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Maximum of each window; NaN if the window holds one. Padding never wins.

    The bits do not depend on layout, instruction set or threads; a maximum of zero is +0.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``.
        kernel_size: int or ``(height, width)`` of the window.
        stride: int or ``(vertical, horizontal)``; None: the kernel size.
        padding: int or ``(vertical, horizontal)``, at most half of the kernel size.
        dilation: distance between the taps of a window.
        ceil_mode: round the output's size up; a last window that would start beyond the image and
            the padding before it is left out.
        out: array for the result, C-contiguous and sharing no memory with ``x``.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.
        kernel: force one row of `kernels` by name.

    Returns:
        float32, ``(N, C, oH, oW)``, or channels last; `conv_output_size` explains oH and oW.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: sizes that do not fit.

    Source: the semantics of ``torch.nn.functional.max_pool2d``.

    >>> import numpy as np, pyconv
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> pyconv.max_pool2d(x, 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    return _core.max_pool2d(
        x, kernel_size, stride, padding, dilation, ceil_mode, layout, out, threads, max_isa, kernel
    )


def avg_pool2d(
    x: Array,
    kernel_size: IntPair,
    *,
    stride: IntPair | None = None,
    padding: IntPair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Mean of each window.

    One chain of additions per output over the taps inside the image, row by row, then one division:
    the bits do not depend on layout, instruction set or threads.

    Args:
        count_include_pad: divide by the taps inside image and padding, else by those inside the
            image. What ``ceil_mode`` adds beyond the padding is never counted.
        divisor_override: divide by this instead.

    Other arguments, result and errors as for `max_pool2d`.

    Source: the semantics of ``torch.nn.functional.avg_pool2d``.

    >>> import numpy as np, pyconv
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> pyconv.avg_pool2d(x, 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """
    return _core.avg_pool2d(
        x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout,
        out, threads, max_isa, kernel,
    )  # fmt: skip


def global_avg_pool2d(
    x: Array,
    *,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Mean over all pixels of each channel.

    Sixteen partial sums, pixel i (row by row) in sum i mod 16, are added up as a tree (j and j + 8,
    then 4, 2, 1) and divided once: the bits do not depend on layout, instruction set or threads.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``; H and W at least 1.

    Returns:
        float32, ``(N, C, 1, 1)``, or ``(N, 1, 1, C)``.

    Other arguments and errors as for `max_pool2d`.

    Source: Lin, Chen and Yan, "Network In Network", arXiv:1312.4400, section 3.2.

    >>> import numpy as np, pyconv
    >>> pyconv.global_avg_pool2d(np.ones((2, 3, 7, 7), np.float32)).shape
    (2, 3, 1, 1)
    """
    return _core.global_avg_pool2d(x, layout, out, threads, max_isa, kernel)


def global_max_pool2d(
    x: Array,
    *,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Maximum over all pixels of each channel; NaN if there is one. A maximum of zero is +0.

    Arguments, result and errors as for `global_avg_pool2d`.

    Source: the maximum of `max_pool2d` with a window of the whole image.

    >>> import numpy as np, pyconv
    >>> x = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    >>> pyconv.global_max_pool2d(x).ravel()
    array([3., 7.], dtype=float32)
    """
    return _core.global_max_pool2d(x, layout, out, threads, max_isa, kernel)
