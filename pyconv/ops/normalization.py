"""Softmax and the normalisations of inference."""

from __future__ import annotations

from pyconv import _core
from pyconv.ops.conv import Array


def softmax(
    x: Array,
    axis: int = 1,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``exp(x) / sum(exp(x))`` along one axis, computed from ``x - max(x)``.

    The sum is taken in one order everywhere, so that a row gives the same bits on every instruction
    set and wherever its axis stands.

    Args:
        x: float32, any shape of rank 1 or more.
        axis: the axis of the sum; negative ones count from the end.
        out: array for the result, C-contiguous; it may be ``x`` itself.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.

    Returns:
        float32, the shape of ``x``. Along an axis that holds NaN or +inf, or nothing but -inf, all
        are NaN.

    Raises:
        TypeError: ``x`` is not a native float32 numpy array.
        ValueError: no such axis; ``out`` of another shape or overlapping ``x`` in part.

    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.

    >>> import numpy as np, pyconv
    >>> pyconv.softmax(np.zeros((1, 4), np.float32))
    array([[0.25, 0.25, 0.25, 0.25]], dtype=float32)
    """
    return _core.softmax(x, axis, False, out, threads, max_isa)


def log_softmax(
    x: Array,
    axis: int = 1,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``(x - max(x)) - log(sum(exp(x - max(x))))`` along one axis. Arguments and errors as for `softmax`.

    >>> import numpy as np, pyconv
    >>> pyconv.log_softmax(np.zeros((1, 2), np.float32))
    array([[-0.6931472, -0.6931472]], dtype=float32)
    """
    return _core.softmax(x, axis, True, out, threads, max_isa)


def batch_norm(
    x: Array,
    mean: Array,
    var: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    *,
    eps: float = 1e-5,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` per channel, with the statistics given.

    Folded to one fused multiply-add ``x * scale + shift``; ``scale = weight / sqrt(var + eps)`` and
    ``shift = bias - mean * scale`` are computed in float64 and rounded once.

    Args:
        x: float32, ``(N, C, ...)``, or ``(N, ..., C)`` for ``layout="nhwc"``.
        mean, var: float32, ``(C,)``.
        weight, bias: float32, ``(C,)``; None: 1 and 0.
        eps: added to the variance.
        out: array for the result, C-contiguous; it may be ``x`` itself.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.

    Returns:
        float32, the shape of ``x``.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: shapes that do not fit; ``out`` overlapping an input other than as ``x`` itself.

    Source: Ioffe and Szegedy, "Batch normalization", arXiv:1502.03167.

    >>> import numpy as np, pyconv
    >>> x = np.array([[1, 2]], np.float32)
    >>> pyconv.batch_norm(x, np.array([1, 1], np.float32), np.array([4, 4], np.float32), eps=0.0)
    array([[0. , 0.5]], dtype=float32)
    """
    return _core.batch_norm(x, mean, var, weight, bias, eps, layout, out, threads, max_isa)


def lrn(
    x: Array,
    size: int,
    *,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """Local response normalisation across channels, with torch's ``alpha``, divided by ``size``.

    ``x / (k + alpha / size * s) ** beta``, where s sums the squares of ``size`` channels: ``size // 2``
    before, the channel itself, ``(size - 1) // 2`` after; channels beyond the first and last count 0.

    Args:
        x: float32, ``(N, C, ...)``, or ``(N, ..., C)`` for ``layout="nhwc"``.
        size: channels of the window, 1 or more.
        alpha, beta, k: see the formula; beta between -10^6 and 10^6.
        out: array for the result, C-contiguous and sharing no memory with ``x``.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.

    Returns:
        float32, the shape of ``x``. Where the base of the power is negative: NaN.

    Raises:
        TypeError: ``x`` is not a native float32 numpy array.
        ValueError: a size below 1, a rank below 2.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012, section 3.3 (their alpha is not divided by the size).

    >>> import numpy as np, pyconv
    >>> pyconv.lrn(np.ones((1, 3), np.float32), 3, alpha=3.0, beta=1.0)
    array([[0.33333334, 0.25      , 0.33333334]], dtype=float32)
    """
    return _core.lrn(x, size, alpha, beta, k, layout, out, threads, max_isa)
