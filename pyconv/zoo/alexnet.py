"""AlexNet and its successor of the year after.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks",
NIPS 2012, section 3.5 and figure 2: two towers on two GPUs, which are groups of two in layers 2, 4, 5.
Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv:1404.5997: one tower.
Zeiler and Fergus, "Visualizing and understanding convolutional networks", arXiv:1311.2901, figure 3.
"""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.zoo.registry import register


class AlexNet(nn.Module):
    """Convolutions, then three fully connected layers on 6 x 6 pixels."""

    def __init__(self, features: nn.Sequential, channels: int, num_classes: int) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(channels * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Any:
        x = self.avgpool(self.features(x))
        return self.classifier(x.flatten(1))


@register("Krizhevsky 2014, arXiv:1404.5997")
def alexnet(*, num_classes: int = 1000) -> AlexNet:
    """AlexNet in one tower; names as in torchvision."""
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
    )
    return AlexNet(features, 256, num_classes)


def response_norm() -> nn.Module:
    """k = 2, n = 5, alpha = 1e-4, beta = 0.75 (section 3.3); torch divides alpha by n."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


@register("Krizhevsky et al. 2012", size=227)
def alexnet_grouped(*, num_classes: int = 1000) -> AlexNet:
    """AlexNet as published: layers 2, 4 and 5 in two groups, response normalisation after 1 and 2."""
    features = nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4),
        nn.ReLU(),
        response_norm(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(),
        response_norm(),
        nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),
    )
    return AlexNet(features, 256, num_classes)


@register("Zeiler and Fergus 2013, arXiv:1311.2901")
def zfnet(*, num_classes: int = 1000) -> AlexNet:
    """AlexNet with smaller strides and windows in the first two layers."""
    features = nn.Sequential(
        nn.Conv2d(3, 96, 7, stride=2, padding=1),  # 110 x 110
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),  # 55 x 55
        response_norm(),
        nn.Conv2d(96, 256, 5, stride=2),  # 26 x 26
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),  # 13 x 13
        response_norm(),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2),  # 6 x 6
    )
    return AlexNet(features, 256, num_classes)
