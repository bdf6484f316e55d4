"""Activations on float32 arrays of any shape.

Each takes ``out=``: an array for the result, which may be ``x`` itself; ``threads=``: at most so many
threads; ``max_isa=``: a cap for the call (``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``). Results
are the same bits on every instruction set, and the same as ``activation=`` of a convolution gives. NaN
passes through. docs/numerics.md states errors and the rules for NaN, infinities, -0 and subnormals.

All raise TypeError where ``x`` is no native float32 array, ValueError where ``out`` has another shape
or overlaps ``x`` in part.
"""

from __future__ import annotations

from pyconv import _core
from pyconv.ops.conv import Array


def relu(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """``x`` where it is not negative, else 0. NaN and -0 pass through.

    Args:
        x: float32, any shape.
        out, threads, max_isa: see `pyconv.ops.activation`.

    Raises:
        TypeError: ``x`` is not a native float32 numpy array.
        ValueError: ``out`` has another shape or overlaps ``x`` in part.

    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    >>> import numpy as np, pyconv
    >>> pyconv.relu(np.array([-1, 0, 2], np.float32))
    array([0., 0., 2.], dtype=float32)
    """
    return _core.activate(x, "relu", 0.0, out, threads, max_isa)


def relu6(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """``min(max(x, 0), 6)``. Arguments and errors as for `relu`.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    >>> import numpy as np, pyconv
    >>> pyconv.relu6(np.array([-1, 3, 7], np.float32))
    array([0., 3., 6.], dtype=float32)
    """
    return _core.activate(x, "relu6", 0.0, out, threads, max_isa)


def leaky_relu(
    x: Array,
    negative_slope: float = 0.01,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``x`` where it is not negative, else ``x * negative_slope``. Arguments and errors as for `relu`.

    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models",
    2013.

    >>> import numpy as np, pyconv
    >>> pyconv.leaky_relu(np.array([-2, 2], np.float32), 0.5)
    array([-1.,  2.], dtype=float32)
    """
    return _core.activate(x, "leaky_relu", negative_slope, out, threads, max_isa)


def prelu(
    x: Array,
    weight: Array,
    *,
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``x`` where it is not negative, else ``x`` times the slope of its channel.

    Args:
        x: float32, ``(N, C, ...)``, or ``(N, ..., C)`` for ``layout="nhwc"``; one channel when its
            rank is below 2.
        weight: float32, ``(C,)``, or ``(1,)``: one slope for all.
        out, threads, max_isa: see `pyconv.ops.activation`.

    Raises:
        TypeError: ``x`` or ``weight`` is not a native float32 numpy array.
        ValueError: as many slopes as neither 1 nor C; ``out`` as for `relu`.

    Source: He, Zhang, Ren and Sun, "Delving deep into rectifiers", arXiv:1502.01852.

    >>> import numpy as np, pyconv
    >>> pyconv.prelu(-np.ones((1, 2), np.float32), np.array([0.25, 0.5], np.float32))
    array([[-0.25, -0.5 ]], dtype=float32)
    """
    return _core.prelu(x, weight, layout, out, threads, max_isa)


def elu(
    x: Array,
    alpha: float = 1.0,
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``x`` where it is not negative, else ``alpha * (e**x - 1)``. Arguments and errors as for `relu`.

    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by
    exponential linear units", arXiv:1511.07289.

    >>> import numpy as np, pyconv
    >>> pyconv.elu(np.array([-np.inf, -1, 2], np.float32))
    array([-1.        , -0.63212055,  2.        ], dtype=float32)
    """
    return _core.activate(x, "elu", alpha, out, threads, max_isa)


def sigmoid(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """``1 / (1 + e**-x)``. Arguments and errors as for `relu`.

    >>> import numpy as np, pyconv
    >>> pyconv.sigmoid(np.array([-np.inf, 0, 2], np.float32))
    array([0.      , 0.5     , 0.880797], dtype=float32)
    """
    return _core.activate(x, "sigmoid", 0.0, out, threads, max_isa)


def hard_sigmoid(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """``min(max(x + 3, 0), 6) / 6``. Arguments and errors as for `relu`.

    Source: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, section 5.2.

    >>> import numpy as np, pyconv
    >>> pyconv.hard_sigmoid(np.array([-4, 0, 1.5], np.float32))
    array([0.  , 0.5 , 0.75], dtype=float32)
    """
    return _core.activate(x, "hard_sigmoid", 0.0, out, threads, max_isa)


def silu(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """``x * sigmoid(x)``, also called swish; -0 at minus infinity. Arguments and errors as for `relu`.

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", arXiv:1702.03118.

    >>> import numpy as np, pyconv
    >>> pyconv.silu(np.array([-1, 0, 2], np.float32))
    array([-0.2689414,  0.       ,  1.7615942], dtype=float32)
    """
    return _core.activate(x, "silu", 0.0, out, threads, max_isa)


def hard_swish(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """``x * hard_sigmoid(x)``; -0 below -3. Arguments and errors as for `relu`.

    Source: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, section 5.2.

    >>> import numpy as np, pyconv
    >>> pyconv.hard_swish(np.array([-1.5, 1, 4], np.float32))
    array([-0.375    ,  0.6666667,  4.       ], dtype=float32)
    """
    return _core.activate(x, "hard_swish", 0.0, out, threads, max_isa)


def tanh(
    x: Array, *, out: Array | None = None, threads: int | None = None, max_isa: str | None = None
) -> Array:
    """The hyperbolic tangent. Arguments and errors as for `relu`.

    >>> import numpy as np, pyconv
    >>> pyconv.tanh(np.array([-1, 0, np.inf], np.float32))
    array([-0.76159424,  0.        ,  1.        ], dtype=float32)
    """
    return _core.activate(x, "tanh", 0.0, out, threads, max_isa)


def gelu(
    x: Array,
    approximate: str = "none",
    *,
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
) -> Array:
    """``x`` times the normal distribution function of ``x``.

    Args:
        x: float32, any shape.
        approximate: ``"none"``, or ``"tanh"``:
            ``0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))``.
        out, threads, max_isa: see `pyconv.ops.activation`.

    Raises:
        TypeError: ``x`` is not a native float32 numpy array.
        ValueError: another ``approximate``; ``out`` as for `relu`.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", arXiv:1606.08415.

    >>> import numpy as np, pyconv
    >>> pyconv.gelu(np.array([-1, 0, 2], np.float32))
    array([-0.15865526,  0.        ,  1.9544997 ], dtype=float32)
    """
    if approximate == "none":
        return _core.activate(x, "gelu", 0.0, out, threads, max_isa)
    if approximate == "tanh":
        return _core.activate(x, "gelu_tanh", 0.0, out, threads, max_isa)
    raise ValueError(f"approximate: expected 'none' or 'tanh', got {approximate!r}")
