"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, table 1.

Names as in torchvision, whose network (``batch_norm=True``) has batch norm instead of biases and response
normalisation, 3x3 windows in the branch that the paper gives 5x5, and 2x2 windows in its fourth pooling.
"""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.registry import register


class BasicConv2d(nn.Module):
    """Convolution, batch norm or a bias, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, batch_norm: bool, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=not batch_norm
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3) if batch_norm else None

    def forward(self, x: Tensor) -> Any:
        x = self.conv(x)
        return F.relu(x if self.bn is None else self.bn(x))


class Inception(nn.Module):
    """Four branches side by side: 1x1, 3x3, 5x5 and pooling (figure 2b)."""

    def __init__(
        self, channels: int, c1: int, r3: int, c3: int, r5: int, c5: int, pool: int, *, batch_norm: bool
    ) -> None:
        super().__init__()
        wide = 3 if batch_norm else 5

        def conv(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
            return BasicConv2d(in_channels, out_channels, kernel, batch_norm=batch_norm)

        self.branch1 = conv(channels, c1, 1)
        self.branch2 = nn.Sequential(conv(channels, r3, 1), conv(r3, c3, 3))
        self.branch3 = nn.Sequential(conv(channels, r5, 1), conv(r5, c5, wide))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv(channels, pool, 1))

    def forward(self, x: Tensor) -> Any:
        return F.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class Auxiliary(nn.Module):
    """A classifier for training alone; here so that checkpoints load, and never run."""

    def __init__(self, channels: int, num_classes: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.conv = BasicConv2d(channels, 128, 1, batch_norm=batch_norm)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)


class GoogLeNet(nn.Module):
    # Name, input channels, then the columns of table 1 from #1x1 on.
    blocks = (
        ("3a", 192, 64, 96, 128, 16, 32, 32),
        ("3b", 256, 128, 128, 192, 32, 96, 64),
        ("4a", 480, 192, 96, 208, 16, 48, 64),
        ("4b", 512, 160, 112, 224, 24, 64, 64),
        ("4c", 512, 128, 128, 256, 24, 64, 64),
        ("4d", 512, 112, 144, 288, 32, 64, 64),
        ("4e", 528, 256, 160, 320, 32, 128, 128),
        ("5a", 832, 256, 160, 320, 32, 128, 128),
        ("5b", 832, 384, 192, 384, 48, 128, 128),
    )

    def __init__(
        self, *, num_classes: int = 1000, batch_norm: bool = False, aux_logits: bool = False
    ) -> None:
        super().__init__()
        self.batch_norm = batch_norm
        self.conv1 = BasicConv2d(3, 64, 7, stride=2, batch_norm=batch_norm)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = BasicConv2d(64, 64, 1, batch_norm=batch_norm)
        self.conv3 = BasicConv2d(64, 192, 3, batch_norm=batch_norm)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.maxpool4 = nn.MaxPool2d(2 if batch_norm else 3, 2, ceil_mode=True)
        for name, *columns in self.blocks:
            self.add_module(f"inception{name}", Inception(*columns, batch_norm=batch_norm))
        if aux_logits:
            self.aux1 = Auxiliary(512, num_classes, batch_norm=batch_norm)
            self.aux2 = Auxiliary(528, num_classes, batch_norm=batch_norm)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(1024, num_classes)

    def response_norm(self, x: Tensor) -> Tensor:
        return x if self.batch_norm else F.local_response_norm(x, 5, alpha=1e-4, beta=0.75, k=1.0)

    def forward(self, x: Tensor) -> Any:
        x = self.response_norm(self.maxpool1(self.conv1(x)))
        x = self.maxpool2(self.response_norm(self.conv3(self.conv2(x))))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4c(self.inception4b(self.inception4a(x)))
        x = self.maxpool4(self.inception4e(self.inception4d(x)))
        x = self.inception5b(self.inception5a(x))
        return self.fc(self.dropout(x.mean((2, 3))))


@register("Szegedy et al. 2014, arXiv:1409.4842")
def googlenet(*, num_classes: int = 1000, batch_norm: bool = False, aux_logits: bool = False) -> GoogLeNet:
    """GoogLeNet as published; ``batch_norm=True, aux_logits=True`` takes torchvision's checkpoint."""
    return GoogLeNet(num_classes=num_classes, batch_norm=batch_norm, aux_logits=aux_logits)
