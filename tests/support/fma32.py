"""float32 fused multiply-add in numpy, correctly rounded, and the exact-mode chain made of it.

An independent implementation of ARCHITECTURE decision 4: the product of two float32 is exact in
float64; the sum is rounded to odd there (TwoSum tells which way), and odd rounding to 53 bits
followed by rounding to nearest at 24 bits or fewer equals one rounding.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

import reference


def fma32(a, b, c):
    """round(a * b + c) elementwise in float32, subnormals and infinities included."""
    with np.errstate(all="ignore"):
        product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
        addend = np.asarray(c, np.float64)
        total = product + addend
        back = total - product
        error = (product - (total - back)) + (addend - back)
        bits = np.atleast_1d(total).view(np.int64).reshape(np.shape(total))
        inexact = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
        step = np.where((error > 0) == (total > 0), 1, -1)
        odd = np.where(inexact, bits + step, bits)
        return odd.view(np.float64).astype(np.float32)


def round_fraction(value: Fraction) -> np.float32:
    """The float32 nearest to a rational, ties to even: Python integers only."""
    if value == 0:
        return np.float32(0)
    magnitude, exponent = abs(value), -149
    while magnitude >= Fraction(2) ** (exponent + 24):
        exponent += 1
    scaled = magnitude / Fraction(2) ** exponent
    whole = scaled.numerator // scaled.denominator
    rest = scaled - whole
    whole += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    if whole * Fraction(2) ** exponent >= Fraction(2) ** 128:
        return np.float32(np.inf if value > 0 else -np.inf)
    return np.float32(float(whole * Fraction(2) ** exponent) * (1 if value > 0 else -1))


def conv2d_exact(x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """conv2d in exact mode: per output one chain from the bias in (kh, kw, ic) order, then + 0."""
    view = reference.windows(x, weight.shape[2:], stride, padding, dilation).astype(np.float32)
    n, c, oh, ow, kh, kw = view.shape
    oc, icg = weight.shape[:2]
    view = view.reshape(n, groups, icg, oh, ow, kh, kw)
    w = weight.reshape(groups, oc // groups, icg, kh, kw)
    start = np.zeros(oc, np.float32) if bias is None else bias
    acc = np.broadcast_to(start[:, None, None], (n, oc, oh, ow)).astype(np.float32)
    acc = acc.reshape(n, groups, oc // groups, oh, ow)
    for i in range(kh):
        for j in range(kw):
            for k in range(icg):
                src = view[:, :, None, k, :, :, i, j]
                acc = fma32(src, w[None, :, :, k, None, None, i, j].reshape(
                    1, groups, oc // groups, 1, 1), acc)  # fmt: skip
    return acc.reshape(n, oc, oh, ow) + np.float32(0)
