"""ShuffleNet v2: Ma, Zhang, Zheng and Sun, "ShuffleNet V2: practical guidelines for efficient CNN
architecture design", arXiv:1807.11164, figure 3 (c, d) and table 5. Names as in torchvision."""

from __future__ import annotations

from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.blocks import conv_bn
from pyconv.zoo.registry import register

# Channels of stages 2 to 4 and of the last convolution, by width; stages have 4, 8 and 4 blocks.
_CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
_DEPTHS = (4, 8, 4)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Channels in the order 0, C / groups, ..., 1, C / groups + 1, ..."""
    n, c, h, w = x.shape
    return x.reshape(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class InvertedResidual(nn.Module):
    """Half the channels pass, half are worked on; with stride 2, both halves are made from all."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        half = out_channels // 2
        worked = in_channels if stride == 2 else half
        self.stride = stride

        def depthwise(channels: int) -> list[nn.Module]:
            return list(conv_bn(channels, channels, 3, stride, groups=channels, activation=None))

        self.branch1 = nn.Sequential(
            *([*depthwise(in_channels), *conv_bn(in_channels, half, 1)] if stride == 2 else [])
        )
        self.branch2 = nn.Sequential(*conv_bn(worked, half, 1), *depthwise(half), *conv_bn(half, half, 1))

    def forward(self, x: Tensor) -> Any:
        if self.stride == 2:
            return channel_shuffle(F.cat([self.branch1(x), self.branch2(x)], 1), 2)
        passed, worked = x.chunk(2, 1)
        return channel_shuffle(F.cat([passed, self.branch2(worked)], 1), 2)


class ShuffleNetV2(nn.Module):
    def __init__(self, *, width: float = 1.0, num_classes: int = 1000) -> None:
        super().__init__()
        if width not in _CHANNELS:
            raise ValueError(f"width: expected one of {', '.join(map(str, _CHANNELS))}, got {width}")
        *stages, last = _CHANNELS[width]
        self.conv1 = conv_bn(3, 24, 3, 2)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels = 24
        for i, (out, depth) in enumerate(zip(stages, _DEPTHS)):
            blocks = [InvertedResidual(channels, out, 2)]
            blocks += [InvertedResidual(out, out, 1) for _ in range(depth - 1)]
            self.add_module(f"stage{i + 2}", nn.Sequential(*blocks))
            channels = out
        self.conv5 = conv_bn(channels, last, 1)
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Any:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean((2, 3)))


@register("Ma et al. 2018, arXiv:1807.11164")
def shufflenet_v2(*, width: float = 1.0, num_classes: int = 1000) -> ShuffleNetV2:
    """ShuffleNet v2 of width 0.5, 1.0, 1.5 or 2.0: torchvision's shufflenet_v2_x1_0 and so on."""
    return ShuffleNetV2(width=width, num_classes=num_classes)
