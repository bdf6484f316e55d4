"""Largest error of the elementwise functions, against float64.

    python -m benchmarks.accuracy                      all 2^32 floats, every function: about an hour
    python -m benchmarks.accuracy --stride 1009 gelu   every 1009th bit pattern, one function

Errors are in units of the last place (ulp) of the float32 nearest to the true value, 2^-149 below
2^-126. A result that should be infinite, NaN or zero and is not counts as an error of infinity.
docs/numerics.md quotes the full run. Without scipy gelu takes the C library's erfc, slowly.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import erfc, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import _core

Doubles = npt.NDArray[np.float64]
Meaning = Callable[[Doubles], Doubles]
CHUNK = 1 << 21


def normal_distribution(x: Doubles) -> Doubles:
    try:
        from scipy.special import ndtr
    except ImportError:
        ndtr = np.vectorize(lambda v: 0.5 * erfc(-v / sqrt(2.0)), otypes=[np.float64])
    result: Doubles = ndtr(x)
    return result


def sigmoid(x: Doubles) -> Doubles:
    e = np.exp(-np.abs(x))
    result: Doubles = np.where(x < 0, e, 1.0) / (1.0 + e)
    return result


def bounded(meaning: Meaning, limit: float) -> Meaning:
    """Limits of x * f(x) at minus infinity come out as -0 when x stops where the product underflows."""
    return lambda x: np.where(x < -limit, -0.0, meaning(np.maximum(x, -limit)))


def gelu_tanh(x: Doubles) -> Doubles:
    u = sqrt(2.0 / pi) * (x + 0.044715 * np.clip(x, -1e9, 1e9) ** 3)
    result: Doubles = x * sigmoid(2.0 * u)
    return result


# What the function is, its parameter, and the float64 meaning.
FUNCTIONS: dict[str, tuple[float, Meaning]] = {
    "relu": (0, lambda x: np.where(x < 0, 0.0, x)),
    "relu6": (0, lambda x: np.where(x < 0, 0.0, np.where(x > 6, 6.0, x))),
    "leaky_relu": (0.01, lambda x: np.where(x < 0, x * float(np.float32(0.01)), x)),
    "elu": (1, lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0.0)), x)),
    "sigmoid": (0, sigmoid),
    "hard_sigmoid": (0, lambda x: np.clip(x + 3.0, 0.0, 6.0) / 6.0),
    "silu": (0, bounded(lambda x: x * sigmoid(x), 1e3)),
    "hard_swish": (0, bounded(lambda x: x * (np.clip(x + 3.0, 0.0, 6.0) / 6.0), 4.0)),
    "tanh": (0, np.tanh),
    "gelu": (0, bounded(lambda x: x * normal_distribution(x), 38.0)),
    "gelu_tanh": (0, bounded(gelu_tanh, 1e2)),
    "exp": (0, np.exp),
    "sigmoid_fast": (0, sigmoid),
    "silu_fast": (0, bounded(lambda x: x * sigmoid(x), 1e3)),
    "tanh_fast": (0, np.tanh),
}


def ulp_error(got: npt.NDArray[np.float32], want: Doubles) -> Doubles:
    rounded = want.astype(np.float32)
    exponent = np.frexp(np.maximum(np.abs(want), 2.0**-126))[1] - 24
    error = np.abs(got - want) / np.ldexp(1.0, exponent)
    finite = np.isfinite(rounded) & np.isfinite(got)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    result: Doubles = np.where(finite, error, np.where(same, 0.0, np.inf))
    return result


def measure(row: str, parameter: float, meaning: Meaning, stride: int) -> tuple[float, float, list[float]]:
    """Largest error, where, and the largest for |x| below 1, 3 and 6."""
    p = np.array([parameter], np.float32)
    worst, at, within = 0.0, 0.0, [0.0, 0.0, 0.0]
    for first in range(0, 1 << 32, CHUNK * stride):
        patterns = np.arange(first, min(1 << 32, first + CHUNK * stride), stride, dtype=np.int64)
        x = patterns.astype(np.uint32).view(np.float32)
        error = ulp_error(_core.eltwise_kernel(row, x, p, p, None), meaning(x.astype(np.float64)))
        top = int(np.argmax(error))
        if error[top] > worst:
            worst, at = float(error[top]), float(x[top])
        for i, limit in enumerate((1.0, 3.0, 6.0)):
            within[i] = max(within[i], float(np.max(error, where=np.abs(x) < limit, initial=0.0)))
    return worst, at, within


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("functions", nargs="*", default=list(FUNCTIONS), help="default: all")
    parser.add_argument("--stride", type=int, default=1, help="take every stride-th bit pattern")
    parser.add_argument("--isa", default=_core.config()["max_isa"], help="default: the best of this CPU")
    arguments: Any = parser.parse_args(argv)
    print(f"{'function':14s} {'max ulp':>8s}  at {'':14s} |x|<1   |x|<3   |x|<6")
    with np.errstate(all="ignore"):
        for name in arguments.functions:
            parameter, meaning = FUNCTIONS[name]
            worst, at, within = measure(f"{name}_f32_{arguments.isa}", parameter, meaning, arguments.stride)
            print(f"{name:14s} {worst:8.3f}  {at:<17.9g}" + "".join(f"{w:7.3f} " for w in within), flush=True)


if __name__ == "__main__":
    main()
