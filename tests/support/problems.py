"""Conv2d problems for hypothesis: small, and at every edge that kernels have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import reference

# Around register tiles: 1, and multiples of 4, 8, 16 with their neighbours.
CHANNELS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 31, 32, 33, 48, 63, 64, 65]


@dataclass(frozen=True)
class Conv:
    """What conv2d is called with; prints as the call that reproduces it."""

    mb: int = 1
    g: int = 1
    ic: int = 1
    oc: int = 1
    ih: int = 1
    iw: int = 1
    kh: int = 1
    kw: int = 1
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    @property
    def x_shape(self):
        return (self.mb, self.ic, self.ih, self.iw)

    @property
    def weight_shape(self):
        return (self.oc, self.ic // self.g, self.kh, self.kw)

    @property
    def terms(self):
        return self.ic // self.g * self.kh * self.kw

    @property
    def macs(self):
        oh, ow = self.dst_shape[2:]
        return self.mb * self.oc * oh * ow * self.terms

    @property
    def dst_shape(self):
        top, bottom, left, right = self.padding
        oh = reference.out_size(self.ih, self.kh, self.stride[0], top, bottom, self.dilation[0])
        ow = reference.out_size(self.iw, self.kw, self.stride[1], left, right, self.dilation[1])
        return (self.mb, self.oc, oh, ow)

    @property
    def options(self):
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.g,
        }

    def arrays(self, rng, fill):
        """x, weight and bias made by fill(rng, shape)."""
        return fill(rng, self.x_shape), fill(rng, self.weight_shape), fill(rng, (self.oc,))


@st.composite
def axis(draw, kernel_max=7):
    """(size, kernel, stride, before, after, dilation) with at least one output."""
    kernel = draw(st.integers(1, kernel_max))
    dilation = draw(st.sampled_from([1, 1, 1, 2, 3])) if kernel > 1 else 1
    span = dilation * (kernel - 1) + 1
    before, after = (draw(st.sampled_from(sorted({0, span // 2, 1, span}))) for _ in "ba")
    least = max(1, span - before - after)
    size = draw(st.integers(least, least + 12))
    return size, kernel, draw(st.integers(1, 3)), before, after, dilation


@st.composite
def convs(draw, max_macs=400_000, max_channels=65):
    """Dense, grouped, depthwise (with multiplier) and pointwise problems, empty batch included."""
    ih, kh, sh, top, bottom, dh = draw(axis())
    iw, kw, sw, left, right, dw = draw(axis())
    if draw(st.integers(0, 3)) == 0:
        kh = kw = dh = dw = 1
    channels = st.sampled_from([c for c in CHANNELS if c <= max_channels])
    kind = draw(st.sampled_from(["dense", "dense", "grouped", "depthwise"]))
    if kind == "dense":
        g, ic, oc = 1, draw(channels), draw(channels)
    elif kind == "grouped":
        g = draw(st.integers(2, 5))
        ic, oc = g * draw(st.integers(1, 9)), g * draw(st.integers(1, 9))
    else:
        g = ic = draw(channels)
        oc = g * draw(st.integers(1, 3))
    conv = Conv(
        draw(st.sampled_from([0, 1, 1, 1, 1, 2, 3])), g, ic, oc, ih, iw, kh, kw,
        (sh, sw), (top, bottom, left, right), (dh, dw),
    )  # fmt: skip
    while conv.macs > max_macs:  # fewer channels, at last fewer taps, rather than a rejected example
        icg, ocg = conv.ic // g, conv.oc // g
        if conv.ic == conv.oc == 1:
            kh, kw = (kh + 1) // 2, (kw + 1) // 2
        if icg * ocg == 1:
            g = max(1, g // 2)
        icg, ocg = (icg + 1) // 2 if icg >= ocg else icg, (ocg + 1) // 2 if ocg > icg else ocg
        conv = Conv(conv.mb, g, g * icg, g * ocg, ih, iw, kh, kw, conv.stride, conv.padding,
                    conv.dilation)  # fmt: skip
    return conv


def seeded(conv):
    """A generator that depends on the problem alone."""
    return np.random.default_rng(abs(hash(conv)) % 2**32)
