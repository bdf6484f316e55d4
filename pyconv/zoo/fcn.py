"""Fully convolutional networks for segmentation: Long, Shelhamer and Darrell, "Fully convolutional networks
for semantic segmentation", arXiv:1411.4038, sections 4.1 and 4.2, figure 3: VGG-16 with its fully
connected layers as convolutions, scores upsampled 32, 16 or 8 times, the finer two with skips.
Names are those of the authors' Caffe models."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def bilinear(channels: int, size: int) -> Any:
    """Weights (channels, channels, size, size) with which a transposed convolution interpolates."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    line = 1 - np.abs(np.arange(size) - centre) / factor
    weight = np.zeros((channels, channels, size, size), np.float32)
    weight[np.arange(channels), np.arange(channels)] = np.outer(line, line)
    return weight


def upsampling(channels: int, factor: int) -> nn.Module:
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, stride=factor, bias=False)
    layer.weight = bilinear(channels, 2 * factor)
    return layer


def cropped(x: Tensor, like: Tensor, offset: int) -> Tensor:
    """As many pixels as `like` has, from (offset, offset) on."""
    height, width = like.shape[2:]
    return x[:, :, offset : offset + height, offset : offset + width]


class FCN(nn.Module):
    """``stride``: 32, 16 or 8, pixels from one score to the next before the last upsampling."""

    def __init__(self, stride: int, num_classes: int = 21) -> None:
        super().__init__()
        channels = 3
        for i, (width, count) in enumerate(_STAGES):
            for j in range(count):
                padding = 100 if i == j == 0 else 1  # so that any image is large enough for fc6
                self.add_module(f"conv{i + 1}_{j + 1}", nn.Conv2d(channels, width, 3, padding=padding))
                channels = width
        self.fc6 = nn.Conv2d(512, 4096, 7)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.score_fr = nn.Conv2d(4096, num_classes, 1)
        self.stride = stride
        if stride <= 16:
            self.upscore2 = upsampling(num_classes, 2)
            self.score_pool4 = nn.Conv2d(512, num_classes, 1)
        if stride <= 8:
            self.upscore_pool4 = upsampling(num_classes, 2)
            self.score_pool3 = nn.Conv2d(256, num_classes, 1)
        name = {32: "upscore", 16: "upscore16", 8: "upscore8"}[stride]
        self.add_module(name, upsampling(num_classes, stride))

    def forward(self, image: Tensor) -> Any:
        """Scores (N, num_classes, H, W) of the pixels of the image (N, 3, H, W)."""
        x, pools = image, []
        for i, (_, count) in enumerate(_STAGES):
            for j in range(count):
                x = F.relu(getattr(self, f"conv{i + 1}_{j + 1}")(x))
            x = F.max_pool2d(x, 2, ceil_mode=True)
            pools.append(x)
        x = F.relu(self.fc7(F.relu(self.fc6(x))))
        x = self.score_fr(x)
        if self.stride == 32:
            return cropped(self.upscore(x), image, 19)
        x = self.upscore2(x)
        x = x + cropped(self.score_pool4(pools[3]), x, 5)
        if self.stride == 16:
            return cropped(self.upscore16(x), image, 27)
        x = self.upscore_pool4(x)
        x = x + cropped(self.score_pool3(pools[2]), x, 9)
        return cropped(self.upscore8(x), image, 31)


_SOURCE = "Long et al. 2014, arXiv:1411.4038"


@register(_SOURCE, size=500, recipe=None)
def fcn32s(*, num_classes: int = 21) -> FCN:
    """FCN-32s: scores at every 32nd pixel, upsampled at once."""
    return FCN(32, num_classes)


@register(_SOURCE, size=500, recipe=None)
def fcn16s(*, num_classes: int = 21) -> FCN:
    """FCN-16s: with scores of pool4."""
    return FCN(16, num_classes)


@register(_SOURCE, size=500, recipe=None)
def fcn8s(*, num_classes: int = 21) -> FCN:
    """FCN-8s: with scores of pool4 and pool3."""
    return FCN(8, num_classes)
