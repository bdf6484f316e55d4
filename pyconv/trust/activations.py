"""Activations in float64, with what is needed to bound the error of computing them in float32."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyconv.trust.compare import U

Doubles = NDArray[np.float64]

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def sigmoid(x: Doubles) -> Doubles:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1.0) / (1.0 + e))


def hard_sigmoid(x: Doubles) -> Doubles:
    return np.clip(x + 3.0, 0.0, 6.0) / 6.0


def gelu_tanh(x: Doubles) -> Doubles:
    u = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
    return x * sigmoid(2.0 * u)


# The function, its largest slope, and the ulps of docs/numerics.md; "fast" has rows of its own for three.
Row = tuple[Callable[[Doubles], Doubles], float, float]
ROWS: dict[str, Row] = {
    "relu": (lambda x: np.maximum(x, 0.0), 1.0, 0.0),
    "relu6": (lambda x: np.clip(x, 0.0, 6.0), 1.0, 0.0),
    "leaky_relu": (lambda x: np.where(x < 0, x * float(np.float32(0.01)), x), 1.0, 0.5),
    "elu": (lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x), 1.0, 1.0),
    "sigmoid": (sigmoid, 0.25, 2.6),
    "hard_sigmoid": (hard_sigmoid, 1 / 6, 1.0),
    "silu": (lambda x: x * sigmoid(x), 1.1, 3.8),
    "hard_swish": (lambda x: x * hard_sigmoid(x), 1.5, 1.9),
    "tanh": (np.tanh, 1.0, 2.5),
    "gelu": (lambda x: 0.5 * x * _erfc(-x / math.sqrt(2.0)), 1.13, 6.0),
    "gelu_tanh": (gelu_tanh, 1.14, 3.7),
}
FAST_ULPS = 8.0
"""Of sigmoid, silu and tanh in fast mode (csrc/kernels/eltwise/eltwise.h), down to 2^-120."""


def through(name: str | None, value: Doubles, error: Doubles, fast: bool) -> tuple[Doubles, Doubles]:
    """The activation of a value known to within `error`, and the bound on the result's error."""
    if name is None:
        return value, error
    function, slope, ulps = ROWS[name]
    result = function(value)
    least = 2.0**-149
    if fast and name in ("sigmoid", "silu", "tanh"):
        ulps, least = FAST_ULPS, 2.0**-118 / FAST_ULPS
    count = ulps + 0.6 * np.minimum(value * value, 200.0) if name == "gelu" else ulps
    reach = slope * error
    return result, reach + count * (2 * U * (np.abs(result) + reach) + least)
