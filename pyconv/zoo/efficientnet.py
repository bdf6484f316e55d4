"""EfficientNet: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks",
arXiv:1905.11946, table 1 (B0) and section 3.3 (compound scaling). Names as in torchvision."""

from __future__ import annotations

import math
from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.blocks import SqueezeExcitation, conv_bn, make_divisible
from pyconv.zoo.registry import register

# Expansion, window, stride of the first block, channels, blocks.
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class MBConv(nn.Module):
    """MobileNet v2's block with squeeze and excitation, a quarter of its input's channels."""

    def __init__(
        self, in_channels: int, out_channels: int, expand: int, kernel: int, stride: int, eps: float
    ) -> None:
        super().__init__()
        wide = in_channels * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers.append(conv_bn(in_channels, wide, 1, activation=nn.SiLU, eps=eps))
        layers += [
            conv_bn(wide, wide, kernel, stride, groups=wide, activation=nn.SiLU, eps=eps),
            SqueezeExcitation(wide, max(1, in_channels // 4), activation=F.silu),
            conv_bn(wide, out_channels, 1, activation=None, eps=eps),
        ]
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Any:
        return self.block(x) + x if self.residual else self.block(x)


class EfficientNet(nn.Module):
    """B0 scaled: ``width`` times the channels, to multiples of 8; ``depth`` times the blocks, rounded up."""

    def __init__(
        self, width: float, depth: float, *, num_classes: int = 1000, dropout: float = 0.2, eps: float = 1e-5
    ) -> None:
        super().__init__()
        channels = make_divisible(32 * width)
        layers: list[nn.Module] = [conv_bn(3, channels, 3, 2, activation=nn.SiLU, eps=eps)]
        for expand, kernel, stride, base, count in _STAGES:
            out, blocks = make_divisible(base * width), []
            for i in range(math.ceil(count * depth)):
                blocks.append(MBConv(channels, out, expand, kernel, 1 if i else stride, eps))
                channels = out
            layers.append(nn.Sequential(*blocks))
        layers.append(conv_bn(channels, 4 * channels, 1, activation=nn.SiLU, eps=eps))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(4 * channels, num_classes))

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


_SOURCE = "Tan and Le 2019, arXiv:1905.11946"


@register(_SOURCE, size=224)
def efficientnet_b0(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B0, found by search."""
    return EfficientNet(1.0, 1.0, num_classes=num_classes)


@register(_SOURCE, size=240)
def efficientnet_b1(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B1."""
    return EfficientNet(1.0, 1.1, num_classes=num_classes)


@register(_SOURCE, size=260)
def efficientnet_b2(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B2."""
    return EfficientNet(1.1, 1.2, num_classes=num_classes, dropout=0.3)


@register(_SOURCE, size=300)
def efficientnet_b3(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B3."""
    return EfficientNet(1.2, 1.4, num_classes=num_classes, dropout=0.3)


@register(_SOURCE, size=380)
def efficientnet_b4(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B4."""
    return EfficientNet(1.4, 1.8, num_classes=num_classes, dropout=0.4)


@register(_SOURCE, size=456)
def efficientnet_b5(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B5."""
    return EfficientNet(1.6, 2.2, num_classes=num_classes, dropout=0.4, eps=1e-3)


@register(_SOURCE, size=528)
def efficientnet_b6(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B6."""
    return EfficientNet(1.8, 2.6, num_classes=num_classes, dropout=0.5, eps=1e-3)


@register(_SOURCE, size=600)
def efficientnet_b7(*, num_classes: int = 1000) -> EfficientNet:
    """EfficientNet-B7."""
    return EfficientNet(2.0, 3.1, num_classes=num_classes, dropout=0.5, eps=1e-3)
