"""Further layers of torch.nn: activations, padding, resizing, shuffling, instance norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.nn.layers import IntPair, _Activation, full
from pyconv.nn.module import Module


class Softplus(_Activation):
    _function = staticmethod(F.softplus)


class Softsign(_Activation):
    _function = staticmethod(F.softsign)


class Mish(_Activation):
    _function = staticmethod(F.mish)


class SELU(_Activation):
    _function = staticmethod(F.selu)


class CELU(Module):
    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return F.celu(x, self.alpha)


class Hardtanh(Module):
    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Tensor) -> Tensor:
        return F.clip(x, self.min_val, self.max_val)


class PReLU(Module):
    """x where positive, else x times a learned number. Parameter: weight (num_parameters,)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = full((num_parameters,), init)

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x, self.array("weight"))


class _Pad2d(Module):
    _mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float = 0.0) -> None:
        super().__init__()
        sides = [padding] * 4 if isinstance(padding, int) else [int(p) for p in padding]
        if len(sides) != 4:
            raise ValueError(f"padding: expected an int or (left, right, top, bottom), got {padding!r}")
        self.padding, self.value = sides, value

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x, self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        return f"{tuple(self.padding)}"


class ZeroPad2d(_Pad2d):
    """Zeros around images: (left, right, top, bottom) or one number."""


class ConstantPad2d(_Pad2d):
    """A value around images."""


class ReflectionPad2d(_Pad2d):
    """Images mirrored about their edge pixels."""

    _mode = "reflect"


class ReplicationPad2d(_Pad2d):
    """The edge pixels repeated."""

    _mode = "replicate"


class Upsample(Module):
    """Images resized by `size` or `scale_factor`: nearest, bilinear or bicubic."""

    def __init__(
        self,
        size: IntPair | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)


class PixelShuffle(Module):
    """(N, C r r, H, W) to (N, C, H r, W r)."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(x, self.upscale_factor)


class ChannelShuffle(Module):
    """The channels of `groups` groups dealt out in turn."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        return F.channel_shuffle(x, self.groups)


class InstanceNorm2d(Module):
    """Every channel of every image by its own mean and variance; with `affine`, weight and bias (C,)."""

    def __init__(self, num_features: int, eps: float = 1e-5, affine: bool = False, **unused: Any) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps
        self.register_parameter("weight", full((num_features,), 1.0) if affine else None)
        self.register_parameter("bias", full((num_features,), 0.0) if affine else None)

    def forward(self, x: Tensor) -> Tensor:
        return F.instance_norm(x, self.parameter("weight"), self.parameter("bias"), self.eps)
