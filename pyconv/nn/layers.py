"""Layers, named and ordered as in torch.nn; weights begin as torch's conventions have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.nn.module import Init, Module, Parameter

Array = npt.NDArray[Any]
IntPair = int | Sequence[int]


def kaiming_normal(shape: tuple[int, ...], fan: int) -> Init:
    """Normal with variance 2 / fan: He et al., arXiv:1502.01852."""

    def init(generator: np.random.Generator) -> Array:
        values = generator.standard_normal(shape, np.float32)
        values *= np.float32(math.sqrt(2.0 / max(1, fan)))
        return values

    return init


def uniform(shape: tuple[int, ...], bound: float) -> Init:
    def init(generator: np.random.Generator) -> Array:
        values = generator.random(shape, np.float32)
        values *= np.float32(2 * bound)
        values -= np.float32(bound)
        return values

    return init


def full(shape: tuple[int, ...], value: float) -> Parameter:
    return Parameter(shape, lambda generator: np.full(shape, value, np.float32))


class Conv2d(Module):
    """Convolution of images (N, C, H, W).

    Args:
        padding: an int, a pair, (top, bottom, left, right), "same" or "valid".

    Parameters: weight (out_channels, in_channels // groups, kH, kW), bias (out_channels,).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntPair,
        stride: IntPair = 1,
        padding: IntPair | str = 0,
        dilation: IntPair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups: expected a divisor of {in_channels} and {out_channels} channels, got {groups}"
            )
        kernel = F.pair(kernel_size, "kernel_size")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = tuple(kernel), stride
        self.padding, self.dilation = padding, dilation
        shape = (out_channels, in_channels // groups, *kernel)
        fan_out = out_channels // groups * kernel[0] * kernel[1]
        self.weight = Parameter(shape, kaiming_normal(shape, fan_out))
        self.register_parameter("bias", full((out_channels,), 0.0) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x,
            self.array("weight"),
            self.parameter("bias"),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text + ("" if "bias" in self._parameters and self._parameters["bias"] else ", bias=False")


class ConvTranspose2d(Module):
    """Transposed convolution of images. Parameters: weight (in_channels, out_channels // groups, kH, kW), bias."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: IntPair,
        stride: IntPair = 1,
        padding: IntPair = 0,
        output_padding: IntPair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: IntPair = 1,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups: expected a divisor of {in_channels} and {out_channels} channels, got {groups}"
            )
        kernel = F.pair(kernel_size, "kernel_size")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.padding = tuple(kernel), stride, padding
        self.output_padding, self.dilation = output_padding, dilation
        shape = (in_channels, out_channels // groups, *kernel)
        steps = F.pair(stride, "stride")
        fan = in_channels // groups * kernel[0] * kernel[1] // (steps[0] * steps[1])
        self.weight = Parameter(shape, kaiming_normal(shape, fan))
        self.register_parameter("bias", full((out_channels,), 0.0) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(
            x, self.array("weight"), self.parameter("bias"), self.stride, self.padding,
            self.output_padding, self.groups, self.dilation,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )


class LocalResponseNorm(Module):
    """Normalisation over windows of `size` channels."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class _BatchNorm(Module):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True
    ) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        self.register_parameter("weight", full((num_features,), 1.0) if affine else None)
        self.register_parameter("bias", full((num_features,), 0.0) if affine else None)
        self.register_buffer("running_mean", full((num_features,), 0.0))
        self.register_buffer("running_var", full((num_features,), 1.0))
        self.register_buffer("num_batches_tracked", Parameter((), np.zeros((), np.int64), "int64"))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(
            x, self.array("running_mean"), self.array("running_var"), self.parameter("weight"), self.parameter("bias"),
            self.eps,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}"


class BatchNorm2d(_BatchNorm):
    """Normalisation by running statistics, per channel of (N, C, H, W)."""


class BatchNorm1d(_BatchNorm):
    """Normalisation by running statistics, per channel of (N, C) or (N, C, L)."""


class Linear(Module):
    """y = x weight^T + bias. Parameters: weight (out_features, in_features), bias (out_features,)."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        bound = 1 / math.sqrt(max(1, in_features))
        self.weight = Parameter(shape, uniform(shape, bound))
        self.register_parameter(
            "bias", Parameter((out_features,), uniform((out_features,), bound)) if bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.array("weight"), self.parameter("bias"))

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}"


class MaxPool2d(Module):
    """The largest of each window."""

    def __init__(
        self,
        kernel_size: IntPair,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        dilation: IntPair = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window."""

    def __init__(
        self,
        kernel_size: IntPair,
        stride: IntPair | None = None,
        padding: IntPair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Means over windows that tile the image into `output_size`."""

    def __init__(self, output_size: IntPair) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class Flatten(Module):
    """Axes from `start_dim` to `end_dim` become one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(self.start_dim, self.end_dim)


class Identity(Module):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x


class Dropout(Module):
    """Inference: nothing is dropped."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return x

    def extra_repr(self) -> str:
        return f"p={self.p}"


class _Activation(Module):
    _function: Any = None

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = type(self)._function(x)
        return result


class ReLU(_Activation):
    _function = staticmethod(F.relu)


class ReLU6(_Activation):
    _function = staticmethod(F.relu6)


class Sigmoid(_Activation):
    _function = staticmethod(F.sigmoid)


class Hardsigmoid(_Activation):
    _function = staticmethod(F.hardsigmoid)


class SiLU(_Activation):
    _function = staticmethod(F.silu)


class Hardswish(_Activation):
    _function = staticmethod(F.hardswish)


class Tanh(_Activation):
    _function = staticmethod(F.tanh)


class GELU(Module):
    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, self.approximate)


class LeakyReLU(Module):
    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.negative_slope)


class ELU(Module):
    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(x, self.alpha)


class Softmax(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(x, self.dim)


class LogSoftmax(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(x, self.dim)
