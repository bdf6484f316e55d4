"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
size", arXiv:1602.07360, figure 1; version 1.1 as its authors published it beside the paper, with pooling
earlier and 2.4 times fewer multiply-adds. Names as in torchvision."""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register


class Fire(nn.Module):
    """1x1 to few channels, then 1x1 beside 3x3."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.squeeze(x))
        return F.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, num_classes, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.features(x)).mean((2, 3))


@register("Iandola et al. 2016, arXiv:1602.07360")
def squeezenet1_1(*, num_classes: int = 1000) -> SqueezeNet:
    """SqueezeNet 1.1."""
    return SqueezeNet(num_classes)
