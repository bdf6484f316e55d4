"""Rounding errors through a network: a value with a bound on its error, layer by layer.

Every function returns what it computes and how far a computation in float32 may be from the true value, given how
far its operands may be: |f(x + e) - f(x)| by the function's slope, and its own roundings of u = 2^-24 each. One
that stands for a step which fast mode may transform or approximate counts those roundings too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import pyconv
from pyconv.trust import winograd

U = 2.0**-24


@dataclass
class Bounded:
    value: np.ndarray
    error: np.ndarray

    @property
    def size(self):
        return np.abs(self.value) + self.error


def exact(x):
    return Bounded(x, np.zeros_like(x))


def conv(x, weight, bias=None, **options):
    """K terms, and two roundings more where a batch norm was folded into weights and bias."""
    size, error = x.size.astype(np.float32), x.error.astype(np.float32)
    run = {**options, "accuracy": "exact"}
    magnitude = pyconv.conv2d(size, np.abs(weight), None if bias is None else np.abs(bias), **run)
    own = U * (weight[0].size + 4) * magnitude
    taps, stride = weight.shape[2], options.get("stride", 1)
    if weight.shape[3] == taps and options.get("groups", 1) == 1:
        sides = (options.get("padding", 0),) * 4
        for m in (m for m, *rest in winograd.SIZES if rest == [taps, stride]):
            scale = winograd.scale(m, size, weight, bias, sides, stride)
            own = np.maximum(own, U * winograd.terms(m, taps, weight.shape[1], stride) * scale)
    value = pyconv.conv2d(x.value, weight, bias, **run)
    return Bounded(value, pyconv.conv2d(error, np.abs(weight), **run) + own)


def affine(x, scale, shift):
    scale, shift = scale[:, None, None], shift[:, None, None]
    return Bounded(x.value * scale + shift,
                   x.error * np.abs(scale) + 4 * U * (x.size * np.abs(scale) + np.abs(shift)))  # fmt: skip


def function(x, value, slope, ulps):
    """An elementwise function of at most `slope`, good to so many ulps, each at most 2u of the result."""
    return Bounded(value, slope * x.error + 2 * U * ulps * (np.abs(value) + slope * x.error))


def add(a, b):
    return Bounded(a.value + b.value, a.error + b.error + U * (a.size + b.size))


def mul(a, b):
    error = a.size * b.error + b.size * a.error
    return Bounded(a.value * b.value, error + U * a.size * b.size)


def global_mean(x):
    pixels = x.value.shape[2] * x.value.shape[3]
    mean = {"axis": (2, 3), "keepdims": True}
    return Bounded(x.value.mean(**mean), x.error.mean(**mean) + U * (pixels + 1) * x.size.mean(**mean))


def linear(x, weight, bias):
    own = U * (weight.shape[1] + 2) * (x.size @ np.abs(weight).T + np.abs(bias))
    return Bounded(x.value @ weight.T + bias, x.error @ np.abs(weight).T + own)
