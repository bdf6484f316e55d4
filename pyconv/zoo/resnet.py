"""ResNets for ImageNet.

He, Zhang, Ren and Sun, "Deep residual learning for image recognition", arXiv:1512.03385, table 1 and
figure 5; Hu, Shen, Albanie, Sun and Wu, "Squeeze-and-excitation networks", arXiv:1709.01507, table 1.
Names as in torchvision. Like its networks, a bottleneck that halves the image does so in its 3x3
convolution; the paper does in the first 1x1 (``stride_in_1x1=True``).
"""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.blocks import SqueezeExcitation, conv_bn
from pyconv.zoo.registry import register


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, **_options: Any) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(in_channels, width, stride)

    def forward(self, x: Tensor) -> Any:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, beside the shortcut."""

    expansion = 4

    def __init__(
        self, in_channels: int, width: int, stride: int, *, se_ratio: int = 0, stride_in_1x1: bool = False
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.se = SqueezeExcitation(out_channels, out_channels // se_ratio) if se_ratio else None
        self.downsample = _projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Any:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y = y if self.se is None else self.se(y)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    """The shortcut where shapes differ (option B of the paper), None where it is the input."""
    if stride == 1 and in_channels == out_channels:
        return None
    return conv_bn(in_channels, out_channels, 1, stride, activation=None)


class ResNet(nn.Module):
    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        *,
        num_classes: int = 1000,
        **options: Any,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels = 64
        for i, depth in enumerate(depths):
            width, blocks = 64 << i, []
            for j in range(depth):
                blocks.append(block(channels, width, 2 if i and not j else 1, **options))
                channels = width * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Any:
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


_SOURCE = "He et al. 2015, arXiv:1512.03385"


@register(_SOURCE)
def resnet18(*, num_classes: int = 1000) -> ResNet:
    """ResNet-18."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes=num_classes)


@register(_SOURCE)
def resnet34(*, num_classes: int = 1000) -> ResNet:
    """ResNet-34."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes=num_classes)


@register(_SOURCE)
def resnet50(*, num_classes: int = 1000, stride_in_1x1: bool = False) -> ResNet:
    """ResNet-50; ``stride_in_1x1=True`` is the paper's."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes=num_classes, stride_in_1x1=stride_in_1x1)


@register(_SOURCE)
def resnet101(*, num_classes: int = 1000, stride_in_1x1: bool = False) -> ResNet:
    """ResNet-101; ``stride_in_1x1=True`` is the paper's."""
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes=num_classes, stride_in_1x1=stride_in_1x1)


@register("Hu et al. 2017, arXiv:1709.01507")
def se_resnet50(*, num_classes: int = 1000, stride_in_1x1: bool = False) -> ResNet:
    """ResNet-50 with squeeze and excitation of ratio 16 in every block, named ``se``."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes=num_classes, se_ratio=16, stride_in_1x1=stride_in_1x1)
