"""MobileNets.

v1: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications",
    arXiv:1704.04861, table 1.
v2: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", arXiv:1801.04381, table 2.
v3: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2.
Names of v2 and v3 as in torchvision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconv import nn
from pyconv.graph import Tensor
from pyconv.nn import functional as F
from pyconv.zoo.blocks import SqueezeExcitation, conv_bn, make_divisible
from pyconv.zoo.registry import register

# Channels and stride of each separable convolution. The table's last depthwise layer says stride 2 on
# 7x7 pixels that stay 7x7: it is 1.
_V1 = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)


def _v1_conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """As trained with TensorFlow: ReLU6, eps 1e-3, and "same" padding, an odd pixel at the lower right."""
    return conv_bn(
        in_channels,
        out_channels,
        kernel,
        stride,
        groups=groups,
        activation=nn.ReLU6,
        padding="same",
        eps=1e-3,
    )


class MobileNetV1(nn.Module):
    def __init__(self, *, width: float = 1.0, separable: bool = True, num_classes: int = 1000) -> None:
        super().__init__()
        channels = make_divisible(32 * width)
        layers = [_v1_conv(3, channels, 3, stride=2)]
        for base, stride in _V1:
            out = make_divisible(base * width)
            if separable:
                depthwise = _v1_conv(channels, channels, 3, stride, groups=channels)
                layers.append(nn.Sequential(depthwise, _v1_conv(channels, out, 1)))
            else:
                layers.append(_v1_conv(channels, out, 3, stride))
            channels = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


@register("Howard et al. 2017, arXiv:1704.04861", recipe="tf_inception")
def mobilenet_v1(*, width: float = 1.0, num_classes: int = 1000) -> MobileNetV1:
    """MobileNet v1; ``width`` multiplies all channels. It takes any resolution."""
    return MobileNetV1(width=width, num_classes=num_classes)


@register("Howard et al. 2017, arXiv:1704.04861, table 4", recipe="tf_inception")
def mobilenet_v1_full(*, width: float = 1.0, num_classes: int = 1000) -> MobileNetV1:
    """MobileNet v1 with full 3x3 convolutions where it has separable ones: the paper's "Conv MobileNet"."""
    return MobileNetV1(width=width, separable=False, num_classes=num_classes)


class InvertedResidual(nn.Module):
    """1x1 to more channels, 3x3 depthwise, 1x1 to few without activation; added to the input if alike."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expand: int) -> None:
        super().__init__()
        wide = in_channels * expand
        layers: list[nn.Module] = [conv_bn(in_channels, wide, 1, activation=nn.ReLU6)] if expand != 1 else []
        layers += [
            conv_bn(wide, wide, 3, stride, groups=wide, activation=nn.ReLU6),
            nn.Conv2d(wide, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Any:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    # expansion, channels, blocks, stride of the first
    settings = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self, *, width: float = 1.0, num_classes: int = 1000) -> None:
        super().__init__()
        channels = make_divisible(32 * width)
        last = make_divisible(1280 * max(1.0, width))
        layers: list[nn.Module] = [conv_bn(3, channels, 3, 2, activation=nn.ReLU6)]
        for expand, base, count, stride in self.settings:
            out = make_divisible(base * width)
            for i in range(count):
                layers.append(InvertedResidual(channels, out, 1 if i else stride, expand))
                channels = out
        layers.append(conv_bn(channels, last, 1, activation=nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


@register("Sandler et al. 2018, arXiv:1801.04381")
def mobilenet_v2(*, width: float = 1.0, num_classes: int = 1000) -> MobileNetV2:
    """MobileNet v2; ``width`` multiplies all channels."""
    return MobileNetV2(width=width, num_classes=num_classes)


class InvertedResidualV3(nn.Module):
    """v2's with a choice of window and activation, and squeeze and excitation before the last 1x1."""

    def __init__(
        self,
        in_channels: int,
        kernel: int,
        wide: int,
        out_channels: int,
        se: bool,
        activation: Callable[[], nn.Module],
        stride: int,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if wide != in_channels:
            layers.append(conv_bn(in_channels, wide, 1, activation=activation, eps=1e-3))
        layers.append(conv_bn(wide, wide, kernel, stride, groups=wide, activation=activation, eps=1e-3))
        if se:
            layers.append(SqueezeExcitation(wide, make_divisible(wide // 4), gate=F.hardsigmoid))
        layers.append(conv_bn(wide, out_channels, 1, activation=None, eps=1e-3))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Any:
        return x + self.block(x) if self.residual else self.block(x)


_RE, _HS = nn.ReLU, nn.Hardswish
# Window, expanded channels, channels, squeeze and excitation, activation, stride.
_V3_LARGE = (
    (3, 16, 16, False, _RE, 1),
    (3, 64, 24, False, _RE, 2),
    (3, 72, 24, False, _RE, 1),
    (5, 72, 40, True, _RE, 2),
    (5, 120, 40, True, _RE, 1),
    (5, 120, 40, True, _RE, 1),
    (3, 240, 80, False, _HS, 2),
    (3, 200, 80, False, _HS, 1),
    (3, 184, 80, False, _HS, 1),
    (3, 184, 80, False, _HS, 1),
    (3, 480, 112, True, _HS, 1),
    (3, 672, 112, True, _HS, 1),
    (5, 672, 160, True, _HS, 2),
    (5, 960, 160, True, _HS, 1),
    (5, 960, 160, True, _HS, 1),
)
_V3_SMALL = (
    (3, 16, 16, True, _RE, 2),
    (3, 72, 24, False, _RE, 2),
    (3, 88, 24, False, _RE, 1),
    (5, 96, 40, True, _HS, 2),
    (5, 240, 40, True, _HS, 1),
    (5, 240, 40, True, _HS, 1),
    (5, 120, 48, True, _HS, 1),
    (5, 144, 48, True, _HS, 1),
    (5, 288, 96, True, _HS, 2),
    (5, 576, 96, True, _HS, 1),
    (5, 576, 96, True, _HS, 1),
)


class MobileNetV3(nn.Module):
    def __init__(
        self, settings: tuple[Any, ...], last: int, *, width: float = 1.0, num_classes: int = 1000
    ) -> None:
        super().__init__()
        channels = make_divisible(16 * width)
        layers: list[nn.Module] = [conv_bn(3, channels, 3, 2, activation=nn.Hardswish, eps=1e-3)]
        for kernel, wide, base, se, activation, stride in settings:
            out = make_divisible(base * width)
            layers.append(
                InvertedResidualV3(
                    channels, kernel, make_divisible(wide * width), out, se, activation, stride
                )
            )
            channels = out
        layers.append(conv_bn(channels, 6 * channels, 1, activation=nn.Hardswish, eps=1e-3))
        self.features = nn.Sequential(*layers)
        hidden = make_divisible(last * width)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, num_classes)
        )

    def forward(self, x: Tensor) -> Any:
        return self.classifier(self.features(x).mean((2, 3)))


@register("Howard et al. 2019, arXiv:1905.02244, table 1")
def mobilenet_v3_large(*, width: float = 1.0, num_classes: int = 1000) -> MobileNetV3:
    """MobileNet v3 large; ``width`` multiplies all channels."""
    return MobileNetV3(_V3_LARGE, 1280, width=width, num_classes=num_classes)


@register("Howard et al. 2019, arXiv:1905.02244, table 2")
def mobilenet_v3_small(*, width: float = 1.0, num_classes: int = 1000) -> MobileNetV3:
    """MobileNet v3 small; ``width`` multiplies all channels."""
    return MobileNetV3(_V3_SMALL, 1024, width=width, num_classes=num_classes)
