"""Convolutions on numpy arrays: one-shot functions, and the plan that packs once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv import _core
from pyconv._core import Conv2dProblem

Array = npt.NDArray[np.float32]
IntPair = int | Sequence[int]
Padding = int | Sequence[int] | str


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    activation: str | None = None,
    algorithm: str = "auto",
    accuracy: str = "fast",
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
    tolerance: float = 0.0,
) -> Array:
    """Two-dimensional convolution (cross-correlation) of ``x`` with ``weight``, plus ``bias``.

    The weights are packed anew at each call; `Conv2dPlan` packs them once.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``.
        weight: float32, ``(out_channels, C // groups, kH, kW)`` in either layout.
        bias: float32, ``(out_channels,)``.
        stride: int or ``(vertical, horizontal)``.
        padding: int, ``(vertical, horizontal)``, ``(top, bottom, left, right)``, ``"valid"``, or
            ``"same"``, which gives ``ceil(size / stride)`` outputs with the odd pixel at the end.
            Padding is +0 and takes part in the sum (so 0 * inf is NaN).
        dilation: distance between kernel taps; 1 is a dense kernel.
        groups: ``1`` dense, ``C`` depthwise.
        activation: ``"relu"``, ``"relu6"``, ``"silu"``, ... applied to the result.
        algorithm: ``"auto"`` or a name that `algorithms` lists.
        accuracy: ``"fast"``, or ``"exact"``: the same bits from every algorithm, instruction set and
            thread count.
        out: array for the result, C-contiguous and sharing no memory with the inputs.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.
        kernel: force one row of `kernels` by name.
        tolerance: for ``algorithm="separable"``: largest error of the low-rank weights, relative to
            their norm (per filter where they are depthwise); 0 allows what rounding to float32 does.

    Returns:
        float32, ``(N, out_channels, oH, oW)``, or channels last.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: shapes that do not fit, or an algorithm that refuses, with its reason.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285.

    >>> import numpy as np, pyconv
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    >>> pyconv.conv2d(x, np.ones((1, 1, 2, 2), np.float32))[0, 0]
    array([[ 8., 12.],
           [20., 24.]], dtype=float32)
    """
    return _core.conv2d(
        x, weight, bias, stride, padding, dilation, groups, activation, algorithm, accuracy,
        layout, out, threads, max_isa, kernel, tolerance,
    )  # fmt: skip


def depthwise_conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    activation: str | None = None,
    algorithm: str = "auto",
    accuracy: str = "fast",
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Convolution of every channel of ``x`` with filters of its own.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``.
        weight: float32, ``(C * m, 1, kH, kW)`` or ``(C * m, kH, kW)``: ``m`` filters per channel, the
            multiplier; channel ``c`` gives outputs ``c * m`` to ``c * m + m - 1``.
        bias: float32, ``(C * m,)``.

    Other arguments, results and errors as for `conv2d` with ``groups=C``.

    Source: Sifre and Mallat, "Rigid-motion scattering for texture classification", arXiv:1403.1687;
    Howard et al., "MobileNets", arXiv:1704.04861.

    >>> import numpy as np, pyconv
    >>> x = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    >>> pyconv.depthwise_conv2d(x, np.ones((2, 2, 2), np.float32))[0, :, 0, 0]
    array([ 6., 22.], dtype=float32)
    """
    if isinstance(weight, np.ndarray) and weight.ndim == 3:
        weight = weight[:, None]
    groups = 1
    if isinstance(x, np.ndarray) and x.ndim == 4:
        groups = max(1, x.shape[3 if layout == "nhwc" else 1])
    if isinstance(weight, np.ndarray) and (
        weight.ndim != 4 or weight.shape[1] != 1 or weight.shape[0] % groups != 0
    ):
        raise ValueError(
            f"weight: expected shape (C * m, 1, kH, kW) or (C * m, kH, kW) with C = {groups} "
            f"channels of x, got {weight.shape}"
        )
    return conv2d(
        x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups,
        activation=activation, algorithm=algorithm, accuracy=accuracy, layout=layout, out=out,
        threads=threads, max_isa=max_isa, kernel=kernel,
    )  # fmt: skip


@dataclass(frozen=True)
class AlgorithmEntry:
    """What one algorithm says of a problem."""

    name: str
    accepted: bool
    reason: str
    """The refusal in one sentence; empty when accepted."""
    cost: float
    """Estimated CPU cycles of one core; 0 when refused."""
    workspace_bytes: int


def algorithms(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    accuracy: str = "fast",
    weight: Array | None = None,
    activation: str | None = None,
    layout: str = "nchw",
    threads: int | None = 1,
    max_isa: str | None = None,
    kernel: str | None = None,
    tolerance: float = 0.0,
) -> list[AlgorithmEntry]:
    """The ordered list of algorithms for a convolution: accepted with a cost, or refused and why.

    Args:
        x_shape: ``(N, C, H, W)``, whatever the layout.
        weight_shape: ``(out_channels, C // groups, kH, kW)``.
        weight: the weights themselves, for algorithms that must see them (``separable``).

    Other arguments as for `conv2d`.

    >>> import pyconv
    >>> [e.reason for e in pyconv.algorithms((1, 8, 9, 9), (8, 8, 3, 3)) if e.name == "pointwise"]
    ['the kernel is 3x3, not 1x1']
    """
    problem = problem_from_shapes(
        x_shape, weight_shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return [
        AlgorithmEntry(*entry)
        for entry in _core.algorithms(
            problem, weight, activation, accuracy, layout, threads, max_isa, kernel, tolerance
        )
    ]


def problem_from_shapes(
    x_shape: Sequence[int],
    weight_shape: Sequence[int],
    *,
    stride: IntPair = 1,
    padding: Padding = 0,
    dilation: IntPair = 1,
    groups: int = 1,
) -> Conv2dProblem:
    """The `Conv2dProblem` of an input ``(N, C, H, W)`` and weights ``(O, C // groups, kH, kW)``.

    >>> import pyconv
    >>> pyconv.problem_from_shapes((1, 32, 112, 112), (64, 32, 3, 3), padding=1)
    Conv2dProblem('ic32oc64_ih112kh3ph1')
    """
    return Conv2dProblem._from_shapes(x_shape, weight_shape, stride, padding, dilation, groups)


class Conv2dPlan(_core.Conv2dPlan):
    """A convolution decided and packed once; call it on as many inputs as you like.

    Args:
        problem: a `Conv2dProblem` or its line, ``"ic32oc64_ih112kh3ph1"``.
        weight, bias: as for `conv2d`; copied.

    Other arguments as for `conv2d`. A plan is immutable and may be called from several threads at
    once.

    >>> import numpy as np, pyconv
    >>> plan = pyconv.Conv2dPlan("ic1oc1_ih3kh2", np.ones((1, 1, 2, 2), np.float32))
    >>> plan(np.ones((1, 1, 3, 3), np.float32))[0, 0, 0]
    array([4., 4.], dtype=float32)
    """

    def __init__(
        self,
        problem: Conv2dProblem | str,
        weight: Array,
        bias: Array | None = None,
        *,
        activation: str | None = None,
        algorithm: str = "auto",
        accuracy: str = "fast",
        layout: str = "nchw",
        threads: int | None = None,
        max_isa: str | None = None,
        kernel: str | None = None,
        tolerance: float = 0.0,
    ) -> None:
        if isinstance(problem, str):
            problem = Conv2dProblem(problem)
        elif not isinstance(problem, Conv2dProblem):
            raise TypeError(
                f"problem: expected a Conv2dProblem or a str, got {type(problem).__name__}"
            )
        super().__init__(
            problem, weight, bias, activation, algorithm, accuracy, layout, threads, max_isa,
            kernel, tolerance,
        )  # fmt: skip
        self.layout = layout
        self.accuracy = accuracy
        self.activation = activation

    def describe(self) -> dict[str, Any]:
        """The decision as data: problem, algorithm, kernels, costs, refusals, bytes."""
        return {
            "problem": str(self.problem),
            "algorithm": self.algorithm,
            "kernels": self.kernels.split(",") if self.kernels else [],
            "layout": self.layout,
            "accuracy": self.accuracy,
            "activation": self.activation,
            "threads": self.threads,
            "macs": self.problem.macs,
            "workspace_bytes": self.workspace_bytes,
            "packed_bytes": self.packed_bytes,
            "algorithms": [AlgorithmEntry(*entry) for entry in self._candidates()],
        }

    def __repr__(self) -> str:
        return f"Conv2dPlan('{self.problem}', algorithm='{self.algorithm}')"
