"""The meaning of every operation, in float64 numpy, sharing nothing with csrc/.

Arrays are NCHW. `padding` is an int, a pair (h, w) or (top, bottom, left, right); the other sizes
are an int or a pair (h, w). Operations and defaults are torch's, with padding on four sides. A
padding tap of a convolution is +0 and takes part, so an infinite weight over it gives NaN.
"""

from __future__ import annotations

import math

import numpy as np


def pair(value):
    return (value, value) if np.isscalar(value) else tuple(value)


def four(padding):
    """(top, bottom, left, right) of an int, a pair or four sides."""
    sides = pair(padding)
    return sides if len(sides) == 4 else (sides[0], sides[0], sides[1], sides[1])


def out_size(size, kernel, stride=1, before=0, after=0, dilation=1, ceil_mode=False):
    room = size + before + after - dilation * (kernel - 1) - 1
    out = (-(-room // stride) if ceil_mode else room // stride) + 1
    if ceil_mode and (out - 1) * stride >= size + before:
        out -= 1  # the last window starts inside the image or the padding before it
    return out


def windows(x, kernel, stride=1, padding=0, dilation=1, fill=0.0, ceil_mode=False):
    """View (n, c, oh, ow, kh, kw) of the padded image: what each output sees."""
    (kh, kw), (sh, sw), (dh, dw) = pair(kernel), pair(stride), pair(dilation)
    top, bottom, left, right = four(padding)
    oh = out_size(x.shape[2], kh, sh, top, bottom, dh, ceil_mode)
    ow = out_size(x.shape[3], kw, sw, left, right, dw, ceil_mode)
    span_h, span_w = dh * (kh - 1) + 1, dw * (kw - 1) + 1
    more_h = max(0, (oh - 1) * sh + span_h - x.shape[2] - top - bottom)
    more_w = max(0, (ow - 1) * sw + span_w - x.shape[3] - left - right)
    sides = ((0, 0), (0, 0), (top, bottom + more_h), (left, right + more_w))
    padded = np.pad(np.asarray(x, np.float64), sides, constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(padded, (span_h, span_w), axis=(2, 3))
    return view[:, :, : oh * sh : sh, : ow * sw : sw, ::dh, ::dw][:, :, :oh, :ow]


def conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1):
    """dst[n,o,y,x] = bias[o] + sum over (kh, kw, ic) of src * weight; weight (oc, ic/g, kh, kw)."""
    view = windows(x, weight.shape[2:], stride, padding, dilation)
    n, c, oh, ow = view.shape[:4]
    oc, icg = weight.shape[:2]
    view = view.reshape(n, groups, icg, oh, ow, *weight.shape[2:])
    w = np.asarray(weight, np.float64).reshape(groups, oc // groups, icg, *weight.shape[2:])
    dst = np.einsum("ngcyxhw,gochw->ngoyx", view, w, optimize=True).reshape(n, oc, oh, ow)
    return dst if bias is None else dst + np.asarray(bias, np.float64)[:, None, None]


def conv2d_abs(x, weight, bias=None, **options):
    """|bias| + sum |src| |weight|: the scale of the rounding error bound."""
    return conv2d(np.abs(x), np.abs(weight), None if bias is None else np.abs(bias), **options)


def conv_transpose2d(x, weight, bias=None, *, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The adjoint of conv2d: every source pixel adds its kernel; weight (ic, oc/g, kh, kw)."""
    (sh, sw), (dh, dw), (eh, ew) = pair(stride), pair(dilation), pair(output_padding)
    top, bottom, left, right = four(padding)
    (n, ic, ih, iw), (_, ocg, kh, kw) = x.shape, weight.shape
    full = np.zeros(
        (
            n,
            groups,
            ocg,
            max(0, ih - 1) * sh + dh * (kh - 1) + 1 + eh,
            max(0, iw - 1) * sw + dw * (kw - 1) + 1 + ew,
        )
    )
    src = np.asarray(x, np.float64).reshape(n, groups, ic // groups, ih, iw)
    w = np.asarray(weight, np.float64).reshape(groups, ic // groups, ocg, kh, kw)
    for i in range(kh):
        for j in range(kw):
            full[:, :, :, i * dh : i * dh + ih * sh : sh, j * dw : j * dw + iw * sw : sw] += np.einsum(
                "ngcyx,gco->ngoyx", src, w[..., i, j]
            )
    dst = full[:, :, :, top : full.shape[3] - bottom, left : full.shape[4] - right]
    dst = dst.reshape(n, groups * ocg, *dst.shape[3:])
    return dst if bias is None else dst + np.asarray(bias, np.float64)[:, None, None]


def depthwise_conv2d(x, weight, bias=None, *, stride=1, padding=0, dilation=1):
    """One filter or several per channel; weight (c * multiplier, 1, kh, kw)."""
    return conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=x.shape[1])


def separable_conv2d(x, column, row, bias=None, *, stride=1, padding=0, dilation=1):
    """Depthwise by the rank-1 kernels column[c] (kh) times row[c] (kw)."""
    weight = np.asarray(column, np.float64)[:, None, :, None] * np.asarray(row)[:, None, None, :]
    return depthwise_conv2d(x, weight, bias, stride=stride, padding=padding, dilation=dilation)


def max_pool2d(x, kernel_size, *, stride=None, padding=0, dilation=1, ceil_mode=False):
    """Maximum of each window, NaN if it holds one; padding never wins."""
    stride = kernel_size if stride is None else stride
    view = windows(x, kernel_size, stride, padding, dilation, -np.inf, ceil_mode)
    return view.max(axis=(4, 5))


def avg_pool2d(
    x,
    kernel_size,
    *,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """Mean of each window. What ceil_mode adds beyond the padding is never counted."""
    stride = kernel_size if stride is None else stride
    total = windows(x, kernel_size, stride, padding, 1, 0.0, ceil_mode).sum(axis=(4, 5))
    if divisor_override is not None:
        return total / divisor_override
    ones = np.ones((1, 1, *x.shape[2:]))
    if count_include_pad:
        ones, padding = pad(ones, padding, 1.0), 0
    count = windows(ones, kernel_size, stride, padding, 1, 0.0, ceil_mode).sum(axis=(4, 5))
    return total / count[:, :, : total.shape[2], : total.shape[3]]


def global_avg_pool2d(x):
    return np.asarray(x, np.float64).mean(axis=(2, 3), keepdims=True)


def global_max_pool2d(x):
    return np.asarray(x, np.float64).max(axis=(2, 3), keepdims=True)


def linear(x, weight, bias=None):
    """x (..., k) times weight (n, k) transposed."""
    dst = np.asarray(x, np.float64) @ np.asarray(weight, np.float64).T
    return dst if bias is None else dst + np.asarray(bias, np.float64)


def batch_norm(x, mean, var, weight=None, bias=None, *, eps=1e-5):
    """Inference: (x - mean) / sqrt(var + eps) * weight + bias per channel (axis 1)."""
    shape = (1, -1) + (1,) * (np.ndim(x) - 2)
    mean, var = (np.asarray(v, np.float64).reshape(shape) for v in (mean, var))
    dst = (np.asarray(x, np.float64) - mean) / np.sqrt(var + eps)
    if weight is not None:
        dst = dst * np.asarray(weight, np.float64).reshape(shape)
    return dst if bias is None else dst + np.asarray(bias, np.float64).reshape(shape)


def lrn(x, size, *, alpha=1e-4, beta=0.75, k=1.0):
    """Across channels, as torch: x / (k + alpha / size * sum of squares over `size` channels)^beta."""
    x = np.asarray(x, np.float64)
    sides = ((0, 0), (size // 2, (size - 1) // 2)) + ((0, 0),) * (x.ndim - 2)
    squares = np.pad(x * x, sides)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha / size * total) ** beta


def softmax(x, axis=1):
    e = np.exp(x - np.max(np.asarray(x, np.float64), axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax(x, axis=1):
    shifted = x - np.max(np.asarray(x, np.float64), axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def relu(x):
    return np.maximum(np.asarray(x, np.float64), 0.0)  # np.maximum passes NaN on


def relu6(x):
    return np.minimum(relu(x), 6.0)


def leaky_relu(x, negative_slope=0.01):
    x = np.asarray(x, np.float64)
    return np.where(x < 0, x * negative_slope, x)


def prelu(x, weight):
    """One slope, or one per channel (axis 1)."""
    x, slope = np.asarray(x, np.float64), np.asarray(weight, np.float64).reshape(-1)
    return np.where(x < 0, x * slope.reshape((1, -1) + (1,) * max(0, x.ndim - 2)), x)


def elu(x, alpha=1.0):
    x = np.asarray(x, np.float64)
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0.0)), x)


def sigmoid(x):
    x = np.asarray(x, np.float64)
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def hard_sigmoid(x):
    return np.minimum(np.maximum(np.asarray(x, np.float64) + 3.0, 0.0), 6.0) / 6.0


def silu(x):
    return np.asarray(x, np.float64) * sigmoid(x)


def hard_swish(x):
    return np.asarray(x, np.float64) * hard_sigmoid(x)


def tanh(x):
    return np.tanh(np.asarray(x, np.float64))


def gelu(x, approximate="none"):
    """x times the normal distribution function, by erf or ("tanh") by its tanh approximation."""
    x = np.asarray(x, np.float64)
    if approximate == "tanh":
        return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
    erfc = np.vectorize(math.erfc, otypes=[np.float64])
    return 0.5 * x * erfc(-x / math.sqrt(2.0))


def add(a, b):
    return np.asarray(a, np.float64) + np.asarray(b, np.float64)


def mul(a, b):
    return np.asarray(a, np.float64) * np.asarray(b, np.float64)


def concat(arrays, axis=1):
    return np.concatenate([np.asarray(a, np.float64) for a in arrays], axis=axis)


def pad(x, padding, value=0.0, mode="constant"):
    """A border around the image, padding (top, bottom, left, right): a value, the image mirrored
    without its edge ("reflect") or its edge ("replicate")."""
    top, bottom, left, right = four(padding)
    sides = ((0, 0), (0, 0), (top, bottom), (left, right))
    x = np.asarray(x, np.float64)
    if mode == "constant":
        return np.pad(x, sides, constant_values=value)
    return np.pad(x, sides, mode={"replicate": "edge"}.get(mode, mode))


def resize(x, size=None, *, scale_factor=None, mode="nearest", align_corners=False):
    """To size (oh, ow), or to floor(size * factor). nearest takes floor(i * step); bilinear samples at
    half-pixel centres, (i + 0.5) * step - 0.5, or from corner to corner with align_corners. step is
    in / out or 1 / factor."""
    x = np.asarray(x, np.float64)
    factors = pair(scale_factor) if size is None else (None, None)
    if size is None:
        size = [math.floor(n * f) for n, f in zip(x.shape[2:], factors)]
    for axis, out, factor in zip((2, 3), pair(size), factors):
        n, i = x.shape[axis], np.arange(out)
        if mode == "nearest":
            at = i * n // out if factor is None else np.minimum((i / factor).astype(np.int64), n - 1)
            x = np.take(x, at, axis=axis)
            continue
        if align_corners:
            at = i * ((n - 1) / (out - 1)) if out > 1 else np.zeros(out)
        else:
            at = np.maximum((i + 0.5) / (out / n if factor is None else factor) - 0.5, 0.0)
        at = np.minimum(at, n - 1)
        low = np.minimum(at.astype(np.int64), n - 1)
        high, part = np.minimum(low + 1, n - 1), at - low
        part = part.reshape((-1,) + (1,) * (3 - axis))
        x = np.take(x, low, axis=axis) * (1.0 - part) + np.take(x, high, axis=axis) * part
    return x
