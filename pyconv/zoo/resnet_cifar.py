"""ResNets for CIFAR-10: He, Zhang, Ren and Sun, "Deep residual learning for image recognition",
arXiv:1512.03385, section 4.2: 6n + 2 layers, shortcuts without parameters (option A).

Names are those of the checkpoints at https://github.com/akamaster/pytorch_resnet_cifar10, which pad
a shortcut's channels on both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register


def shortcut(x: Tensor, channels: int) -> Any:
    """Option A: every second pixel of every second row, between channels of zeros."""
    x = F.max_pool2d(x, 1, stride=2)
    side = (channels - x.shape[1]) // 2
    zeros = x.builder.constant(np.zeros((x.shape[0], side, *x.shape[2:]), np.float32), "zeros")
    return F.cat([zeros, x, zeros], 1)


class Block(nn.Module):
    """Two 3x3 convolutions beside the shortcut."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        stride = 1 if in_channels == channels else 2
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Any:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if x.shape[1] == self.channels else shortcut(x, self.channels)))


class ResNetCifar(nn.Module):
    def __init__(self, depth: int, num_classes: int = 10) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(f"depth: expected 6 n + 2, got {depth}")
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        channels = 16
        for i in range(3):
            blocks = []
            for _ in range(depth // 6):
                blocks.append(Block(channels, 16 << i))
                channels = 16 << i
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


@register("He et al. 2015, arXiv:1512.03385", size=32, recipe="cifar10")
def resnet20(*, num_classes: int = 10) -> ResNetCifar:
    """ResNet-20 for pictures of 32 x 32."""
    return ResNetCifar(20, num_classes)


@register("He et al. 2015, arXiv:1512.03385", size=32, recipe="cifar10")
def resnet56(*, num_classes: int = 10) -> ResNetCifar:
    """ResNet-56 for pictures of 32 x 32."""
    return ResNetCifar(56, num_classes)
