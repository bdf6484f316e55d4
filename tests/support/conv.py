"""Runs Conv problems through pyconv: every algorithm, ISA, layout and row, between guard pages."""

from __future__ import annotations

import numpy as np

import pyconv
import reference
from pyconv.trust import winograd
from support.arrays import assert_bounded, assert_same_bits, guarded, nan_like

# Algorithms that change the arithmetic: bounded by a multiple of the bound of a plain sum. The
# factors are the largest ratios seen over 2000 random problems, times four.
TRANSFORMS = {"winograd_f2": 4.0, "winograd_f4": 40.0, "winograd_f6": 400.0}

ISAS = sorted({k.isa for k in pyconv.kernels() if k.available})


def problem(conv):
    return pyconv.problem_from_shapes(conv.x_shape, conv.weight_shape, **conv.options)


def entries(conv, **options):
    return pyconv.algorithms(conv.x_shape, conv.weight_shape, **conv.options, **options)


def accepting(conv, **options):
    """Names of the algorithms that take the problem without being asked to approximate."""
    return [e.name for e in entries(conv, **options) if e.accepted and e.name != "separable"]


def to_layout(array, layout):
    return np.ascontiguousarray(array if layout == "nchw" else array.transpose(0, 2, 3, 1))


def to_nchw(array, layout):
    return array if layout == "nchw" else array.transpose(0, 3, 1, 2)


def run_plan(conv, x, weight, bias, *, where="end", layout="nhwc", **options):
    """The plan's result in NCHW. All operands touch a guard page; the output starts as NaN."""
    weight = guarded(weight, where)
    bias = None if bias is None else guarded(bias, where)
    plan = pyconv.Conv2dPlan(problem(conv), weight, bias, layout=layout, **options)
    n, c, h, w = conv.dst_shape
    shape = (n, c, h, w) if layout == "nchw" else (n, h, w, c)
    out = guarded(nan_like(shape), where)
    result = plan(guarded(to_layout(x, layout), where), out=out)
    assert result is out or np.shares_memory(result, out) or out.size == 0
    return to_nchw(out, layout)


def check_exact(conv, arrays, got, what, want=None):
    """Small integers: equal to the reference, whatever the order of summation."""
    want = reference.conv2d(*arrays, **conv.options) if want is None else want
    assert_same_bits(got, (want + 0.0).astype(np.float32), f"{what} on {problem(conv)}")


def check_bounded(conv, arrays, got, what, factor=1.0, algorithm=None):
    """Random reals: within the bound of any order of summation, or of the algorithm's transform."""
    want = reference.conv2d(*arrays, **conv.options)
    if algorithm in winograd.TILES:
        m = winograd.TILES[algorithm]
        stride = conv.stride[0]
        scale = winograd.scale(m, *arrays, conv.padding, stride)
        terms = winograd.terms(m, conv.kh, conv.ic, stride) - 2
    else:
        scale, terms = factor * reference.conv2d_abs(*arrays, **conv.options), conv.terms
    assert_bounded(got, want, scale, terms, f"{what} on {problem(conv)}")
