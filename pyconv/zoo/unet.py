"""U-Net: Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation",
arXiv:1505.04597, figure 1: 572 x 572 in, 388 x 388 out, without padding."""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register


class DoubleConv(nn.Module):
    """Two 3x3 convolutions, each with ReLU."""

    def __init__(self, in_channels: int, out_channels: int, padding: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=padding)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=padding)

    def forward(self, x: Tensor) -> Any:
        return F.relu(self.conv2(F.relu(self.conv1(x))))


class Up(nn.Module):
    """Twice the size and half the channels, beside the centre of the map from the way down."""

    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels // 2, 2, stride=2)
        self.conv = DoubleConv(channels, channels // 2, padding)

    def forward(self, x: Tensor, skip: Tensor) -> Any:
        x = self.up(x)
        top, left = ((skip.shape[i] - x.shape[i]) // 2 for i in (2, 3))
        skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
        return self.conv(F.cat([skip, x], 1))


class UNet(nn.Module):
    def __init__(
        self, in_channels: int = 1, num_classes: int = 2, *, width: int = 64, padding: int = 0
    ) -> None:
        super().__init__()
        widths = [width << i for i in range(5)]
        self.down = nn.ModuleList(DoubleConv(a, b, padding) for a, b in zip([in_channels, *widths], widths))
        self.up = nn.ModuleList(Up(w, padding) for w in widths[:0:-1])
        self.out = nn.Conv2d(width, num_classes, 1)

    def forward(self, x: Tensor) -> Any:
        skips = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1]):
            x = block(x, skip)
        return self.out(x)


@register("Ronneberger et al. 2015, arXiv:1505.04597", size=572, channels=1, recipe=None)
def unet(*, in_channels: int = 1, num_classes: int = 2, width: int = 64, padding: int = 0) -> UNet:
    """U-Net; ``padding=1`` keeps the size of the image, whose sides are then multiples of 16."""
    return UNet(in_channels, num_classes, width=width, padding=padding)
