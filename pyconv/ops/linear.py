"""Fully connected layers: a one-shot function, and the plan that packs once."""

from __future__ import annotations

from typing import Any

from pyconv import _core
from pyconv.ops.conv import Array


def linear(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    activation: str | None = None,
    accuracy: str = "fast",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """``x @ weight.T + bias``, then the activation.

    Large batches pack the weights anew at each call; `LinearPlan` packs them once.

    Args:
        x: float32, ``(..., in_features)``.
        weight: float32, ``(out_features, in_features)``.
        bias: float32, ``(out_features,)``.
        activation: ``"relu"``, ``"relu6"``, ``"silu"``, ... applied to the result.
        accuracy: ``"exact"``: one chain of fused multiply-adds per output, from the bias in the order
            of the input features; the same bits from every instruction set, thread count and batch.
            ``"fast"`` may split the sum into 16 where the batch is small.
        out: array for the result, C-contiguous and sharing no memory with the inputs.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.
        kernel: force one row of `kernels` by name.

    Returns:
        float32, ``(..., out_features)``.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: shapes that do not fit.

    Source: the semantics of ``torch.nn.functional.linear``.

    >>> import numpy as np, pyconv
    >>> x, weight = np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)
    >>> pyconv.linear(x, weight, np.float32([0.5]))
    array([[3.5],
           [3.5]], dtype=float32)
    """
    return _core.linear(x, weight, bias, activation, accuracy, out, threads, max_isa, kernel)


class LinearPlan(_core.LinearPlan):
    """A fully connected layer packed once; call it on inputs of any batch.

    Args:
        weight, bias: as for `linear`; copied.

    Other arguments as for `linear`. Every output is one chain of fused multiply-adds, in either
    accuracy. A plan is immutable and may be called from several threads at once.

    >>> import numpy as np, pyconv
    >>> plan = pyconv.LinearPlan(np.eye(3, dtype=np.float32), activation="relu")
    >>> plan(np.float32([-1, 0, 2]))
    array([0., 0., 2.], dtype=float32)
    """

    def __init__(
        self,
        weight: Array,
        bias: Array | None = None,
        *,
        activation: str | None = None,
        accuracy: str = "fast",
        threads: int | None = None,
        max_isa: str | None = None,
        kernel: str | None = None,
    ) -> None:
        super().__init__(weight, bias, activation, accuracy, threads, max_isa, kernel)
        self.activation = activation
        self.accuracy = accuracy

    def describe(self) -> dict[str, Any]:
        """The decision as data."""
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "kernels": self.kernels.split(",") if self.kernels else [],
            "accuracy": self.accuracy,
            "activation": self.activation,
            "macs_per_row": self.in_features * self.out_features,
            "packed_bytes": self.packed_bytes,
        }

    def __repr__(self) -> str:
        return f"LinearPlan({self.in_features} -> {self.out_features})"
