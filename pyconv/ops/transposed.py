"""Transposed convolution: a one-shot function, and the plan that packs once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconv import _core
from pyconv.ops.conv import Array, IntPair


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: IntPair = 1,
    padding: int | Sequence[int] = 0,
    output_padding: IntPair = 0,
    dilation: IntPair = 1,
    groups: int = 1,
    activation: str | None = None,
    accuracy: str = "fast",
    layout: str = "nchw",
    out: Array | None = None,
    threads: int | None = None,
    max_isa: str | None = None,
    kernel: str | None = None,
) -> Array:
    """Transposed two-dimensional convolution: the adjoint of `conv2d`, which enlarges an image.

    Outputs are gathered phase by phase: those whose position leaves the same remainder by the stride
    share the same kernel taps, and no inserted zero is multiplied. Each is one chain of fused
    multiply-adds from the bias over its phase's taps in the order (kH, kW, in_channels), in either
    accuracy; a tap outside the image is +0 and takes part (so 0 * inf is NaN).

    The weights are packed anew at each call; `ConvTranspose2dPlan` packs them once.

    Args:
        x: float32, ``(N, C, H, W)``, or ``(N, H, W, C)`` for ``layout="nhwc"``.
        weight: float32, ``(C, out_channels // groups, kH, kW)`` in either layout.
        bias: float32, ``(out_channels,)``.
        stride: int or ``(vertical, horizontal)``: output pixels from one input pixel to the next.
        padding: int, ``(vertical, horizontal)`` or ``(top, bottom, left, right)``: rows and columns
            that are cut off the full result.
        output_padding: int or pair, less than the stride or the dilation: rows and columns added at
            the end, since several output sizes belong to one input size.
        dilation: distance between kernel taps.
        groups: groups of channels that do not mix.
        activation: ``"relu"``, ``"relu6"``, ``"silu"``, ... applied to the result.
        accuracy: ``"fast"`` or ``"exact"``; the bits are the same.
        out: array for the result, C-contiguous and sharing no memory with the inputs.
        threads: at most so many threads; None: the CPUs this process may use.
        max_isa: cap for this call: ``"scalar"``, ``"avx2"``, ``"avx512"``, ``"neon"``.
        kernel: force one row of the gemm family by name.

    Returns:
        float32, ``(N, out_channels, oH, oW)``, or channels last, with
        ``oH = (H - 1)*stride - padding on both sides + dilation*(kH - 1) + output_padding + 1``.

    Raises:
        TypeError: an array is not a native float32 numpy array.
        ValueError: shapes that do not fit.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285, section 4; the semantics of ``torch.nn.functional.conv_transpose2d``.

    >>> import numpy as np, pyconv
    >>> x = np.float32([[[[1, 2]]]])
    >>> pyconv.conv_transpose2d(x, np.ones((1, 1, 1, 3), np.float32), stride=2)
    array([[[[1., 1., 3., 2., 2.]]]], dtype=float32)
    """
    return _core.conv_transpose2d(
        x, weight, bias, stride, padding, output_padding, dilation, groups, activation, accuracy,
        layout, out, threads, max_isa, kernel,
    )  # fmt: skip


class ConvTranspose2dPlan(_core.ConvTranspose2dPlan):
    """A transposed convolution packed once; call it on as many inputs as you like.

    Args:
        x_shape: ``(N, C, H, W)``, whatever the layout.
        weight, bias: as for `conv_transpose2d`; copied.

    Other arguments as for `conv_transpose2d`. A plan is immutable and may be called from several
    threads at once.

    >>> import numpy as np, pyconv
    >>> weight = np.ones((1, 1, 2, 2), np.float32)
    >>> plan = pyconv.ConvTranspose2dPlan((1, 1, 1, 2), weight, stride=2)
    >>> plan(np.float32([[[[1, 2]]]]))[0, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]], dtype=float32)
    """

    def __init__(
        self,
        x_shape: Sequence[int],
        weight: Array,
        bias: Array | None = None,
        *,
        stride: IntPair = 1,
        padding: int | Sequence[int] = 0,
        output_padding: IntPair = 0,
        dilation: IntPair = 1,
        groups: int = 1,
        activation: str | None = None,
        accuracy: str = "fast",
        layout: str = "nchw",
        threads: int | None = None,
        max_isa: str | None = None,
        kernel: str | None = None,
    ) -> None:
        super().__init__(
            x_shape, weight, bias, stride, padding, output_padding, dilation, groups, activation,
            accuracy, layout, threads, max_isa, kernel,
        )  # fmt: skip
        self.layout = layout
        self.accuracy = accuracy
        self.activation = activation

    def describe(self) -> dict[str, Any]:
        """The decision as data."""
        return {
            "kernels": self.kernels.split(",") if self.kernels else [],
            "layout": self.layout,
            "accuracy": self.accuracy,
            "activation": self.activation,
            "threads": self.threads,
            "macs": self.macs,
            "workspace_bytes": self.workspace_bytes,
            "packed_bytes": self.packed_bytes,
        }
