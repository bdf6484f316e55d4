"""VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition",
arXiv:1409.1556, table 1, columns D and E. Names as in torchvision."""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.zoo.registry import register

# 3x3 convolutions of so many channels in each stage; a stage ends with 2x2 pooling.
_D = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
_E = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))


class VGG(nn.Module):
    def __init__(
        self, stages: tuple[tuple[int, int], ...], *, num_classes: int = 1000, batch_norm: bool = False
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, count in stages:
            for _ in range(count):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                layers += [nn.BatchNorm2d(width)] if batch_norm else []
                layers.append(nn.ReLU())
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Any:
        x = self.avgpool(self.features(x))
        return self.classifier(x.flatten(1))


@register("Simonyan and Zisserman 2014, arXiv:1409.1556")
def vgg16(*, num_classes: int = 1000, batch_norm: bool = False) -> VGG:
    """VGG-16, column D; ``batch_norm=True`` is torchvision's vgg16_bn."""
    return VGG(_D, num_classes=num_classes, batch_norm=batch_norm)


@register("Simonyan and Zisserman 2014, arXiv:1409.1556")
def vgg19(*, num_classes: int = 1000, batch_norm: bool = False) -> VGG:
    """VGG-19, column E; ``batch_norm=True`` is torchvision's vgg19_bn."""
    return VGG(_E, num_classes=num_classes, batch_norm=batch_norm)
