"""DenseNet: Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks",
arXiv:1608.06993, table 1: each layer sees the maps of all before it. Names as in torchvision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register

_BOTTLENECK = 4  # times the growth rate: channels between a layer's two convolutions


class DenseLayer(nn.Module):
    """Batch norm and ReLU before a 1x1 and before a 3x3 convolution, which makes `growth` new maps."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, _BOTTLENECK * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(_BOTTLENECK * growth)
        self.conv2 = nn.Conv2d(_BOTTLENECK * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Any:
        x = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(x)))


class DenseBlock(nn.Module):
    def __init__(self, channels: int, growth: int, depth: int) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(f"denselayer{i + 1}", DenseLayer(channels + i * growth, growth))

    def forward(self, x: Tensor) -> Any:
        for layer in self.children():
            x = F.cat([x, layer(x)], 1)
        return x


class Transition(nn.Module):
    """Half the channels, half the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Any:
        return self.pool(self.conv(F.relu(self.norm(x))))


class DenseNet(nn.Module):
    def __init__(self, depths: tuple[int, ...], *, growth: int = 32, num_classes: int = 1000) -> None:
        super().__init__()
        channels = 2 * growth
        layers: dict[str, nn.Module] = {
            "conv0": nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False),
            "norm0": nn.BatchNorm2d(channels),
            "relu0": nn.ReLU(),
            "pool0": nn.MaxPool2d(3, 2, padding=1),
        }
        for i, depth in enumerate(depths):
            layers[f"denseblock{i + 1}"] = DenseBlock(channels, growth, depth)
            channels += depth * growth
            if i + 1 < len(depths):
                layers[f"transition{i + 1}"] = Transition(channels)
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Any:
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> None:
        """Also takes the names of torchvision's published file: ``norm.1`` for ``norm1``, and so on."""
        renamed = {
            re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", k): v for k, v in state.items()
        }
        super().load_state_dict(renamed, strict=strict)


@register("Huang et al. 2016, arXiv:1608.06993")
def densenet121(*, num_classes: int = 1000) -> DenseNet:
    """DenseNet-121 with growth rate 32."""
    return DenseNet((6, 12, 24, 16), num_classes=num_classes)
