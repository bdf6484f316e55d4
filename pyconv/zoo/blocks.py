"""What several families are made of; names inside are torchvision's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F


def make_divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, but not below 90 % of `channels` (MobileNet v2's rule)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: Callable[[], nn.Module] | None = nn.ReLU,
    padding: int | str | None = None,
    eps: float = 1e-5,
) -> nn.Sequential:
    """Convolution without bias, batch norm, activation: modules 0, 1 and, where there is one, 2."""
    padding = kernel_size // 2 if padding is None else padding
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels, eps=eps),
    ]
    if activation is not None:
        layers.append(activation())
    return nn.Sequential(*layers)


class SqueezeExcitation(nn.Module):
    """Each channel scaled by a gate of all channels' means: Hu et al., arXiv:1709.01507, figure 1."""

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: Callable[[Tensor], Any] = F.relu,
        gate: Callable[[Tensor], Any] = F.sigmoid,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = activation, gate

    def forward(self, x: Tensor) -> Any:
        scale = self.activation(self.fc1(x.mean((2, 3), keepdims=True)))
        return x * self.gate(self.fc2(scale))
