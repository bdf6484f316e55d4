"""The kinds of convolution as one network, so that their page shows what a network's page shows: every kind on
one input, its layers named after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyconv
from pyconv import nn
from pyconv.nn import functional as F
from pyconv.study import network, report
from pyconv.study.compare import Settings
from pyconv.study.network_pair import Part, seconds
from pyconv.study.result import NORMAL, Study


class Kinds(nn.Module):
    """From `channels` maps to what each kind makes of them, averaged, so that it stays in its layout. What comes
    before does nothing but bring the maps into that layout."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        c, f, k = channels, filters, kernel
        before, after = (k - 1) // 2, k // 2
        rows, columns = (before, after, 0, 0), (0, 0, before, after)
        both = (before, after, before, after)
        self.normal = nn.Conv2d(c, f, k, padding=both, bias=False)
        self.pointwise = nn.Conv2d(c, f, 1, bias=False)
        self.depthwise = nn.Conv2d(c, c, k, padding=both, groups=c, bias=False)
        self.spatially_separable = nn.Sequential(
            nn.Conv2d(c, c, (k, 1), padding=rows, groups=c, bias=False),
            nn.Conv2d(c, c, (1, k), padding=columns, groups=c, bias=False),
        )
        self.depthwise_separable = nn.Sequential(
            nn.Conv2d(c, c, k, padding=both, groups=c, bias=False), nn.Conv2d(c, f, 1, bias=False)
        )

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(x, 1)
        kinds = (self.normal, self.pointwise, self.depthwise, self.spatially_separable, self.depthwise_separable)
        return tuple(F.adaptive_avg_pool2d(kind(x), 1) for kind in kinds)


def document(
    settings: Settings, found: Study, *, measuring_seconds: float = 10.0, on_step: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """What `pyconv.study.page` draws, with the study's own sentence at its head."""
    nn.manual_seed(0)
    model = pyconv.compile(
        Kinds(settings.channels, settings.filters, settings.kernel),
        (1, settings.channels, settings.height, settings.width),
        threads=settings.threads,
        accuracy=settings.accuracy,
        without=["fuse_inverted_residual"],
    )
    name = f"{settings.channels} channels of {settings.height}x{settings.width}, {settings.filters} filters of "
    made = network.study(
        model,
        name=f"{name}{settings.kernel}x{settings.kernel}",
        measure=True,
        seconds=measuring_seconds,
        ladder=True,
        roofline=found.roofline,
        on_step=on_step,
    ).as_dict()
    return {**made, "sentence": report.finding(found), "rival": NORMAL}


def parts(made: Mapping[str, Any]) -> list[Part]:
    """Each kind, over the normal convolution."""
    sums: dict[str, list[float]] = {}
    for layer in made["layers"]:
        if layer["macs"]:
            row = sums.setdefault(layer["name"].partition(".")[0], [0, 0, 0.0])
            for i, figure in enumerate((layer["macs"], layer["executed_macs"], seconds(layer))):
                row[i] += figure
    macs, executed, took = sums.pop(made["rival"])
    return [
        Part(kind.replace("_", " "), (int(m), int(macs)), (int(e), int(executed)), (s, took))
        for kind, (m, e, s) in sums.items()
    ]
