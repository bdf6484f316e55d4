"""Resize and Upsample: sizes and scales for every axis, from what each opset has."""

from __future__ import annotations

import math

from pyconv.formats.onnx.node import Built, Node
from pyconv.graph import Tensor


def numbers(n: Node, i: int, what: str) -> list[float]:
    return [float(v) for v in n.constant(i, what).reshape(-1)]


def scaled_sizes(n: Node, x: Tensor, scales: list[float]) -> list[int]:
    if len(scales) != x.ndim or not all(0 < s < 2**40 for s in scales):
        n.fail(f"scales: expected a positive number for each axis of {x.shape}, got {scales}")
    return [math.floor(size * scale) for size, scale in zip(x.shape, scales)]


def upsample(n: Node) -> Built:
    x = n.x()
    scales = n.numbers("scales") if n.opset < 9 else numbers(n, 1, "scales")
    return simple_resize(n, x, scales or [])


def simple_resize(n: Node, x: Tensor, scales: list[float]) -> Built:
    """What Upsample and the first Resize had: no choice of coordinates. The nearest pixel is the one
    before where an axis grows, and the one after where it shrinks."""
    mode = n.text("mode", "nearest")
    scaled_sizes(n, x, scales)
    for rule, chosen in (("ceil", [s < 1 for s in scales]), ("floor", [s >= 1 for s in scales])):
        part = [s if here else 1.0 for s, here in zip(scales, chosen)]
        if any(s != 1 for s in part) or rule == "floor":
            x = n.op("resize", [x], sizes=scaled_sizes(n, x, part), scales=part, nearest_mode=rule,
                     mode=mode if mode != "bilinear" else "linear", coordinates="asymmetric")  # fmt: skip
    return x


def keep_aspect(policy: str, n: Node, x: Tensor, axes: list[int], sizes: list[int]) -> list[int]:
    ratios = [size / x.shape[a] for a, size in zip(axes, sizes) if x.shape[a]]
    if policy not in ("not_larger", "not_smaller") or not ratios:
        n.fail(f"keep_aspect_ratio_policy: expected stretch, not_larger or not_smaller, got '{policy}'")
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(scale * x.shape[a] + 0.5) for a in axes]


def resize(n: Node) -> Built:
    x = n.x()
    if n.opset < 11:
        return simple_resize(n, x, numbers(n, 1, "scales"))
    axes = n.integers("axes") if n.opset >= 18 else None
    axes = list(range(x.ndim)) if axes is None else [a % max(1, x.ndim) for a in axes]
    policy = n.text("keep_aspect_ratio_policy", "stretch") if n.opset >= 18 else "stretch"
    sizes, scales = list(x.shape), [1.0] * x.ndim
    given = numbers(n, 2, "scales") if n.given(2) else []
    if given:
        if len(given) != len(axes):
            n.fail(f"scales: expected one for each of axes {axes}, got {given}")
        for axis, scale in zip(axes, given):
            scales[axis] = scale
        sizes = scaled_sizes(n, x, scales)
    else:
        wanted = n.constant_ints(3, "sizes")
        if len(wanted) != len(axes) or any(s < 0 for s in wanted):
            n.fail(f"sizes: expected one for each of axes {axes}, got {wanted}")
        if policy != "stretch":
            wanted = keep_aspect(policy, n, x, axes, wanted)
        for axis, size in zip(axes, wanted):
            sizes[axis] = size
            scales[axis] = size / x.shape[axis] if x.shape[axis] and size else 1.0
        if policy != "stretch":
            first = next(a for a in axes if x.shape[a])
            scales = [scales[first] if a in axes else s for a, s in enumerate(scales)]
            scales = [sizes[a] / x.shape[a] if x.shape[a] else 1.0 for a in range(x.ndim)]
    n.skip(2, 3)
    coordinates = n.text("coordinate_transformation_mode", "half_pixel")
    roi = region(n, x.ndim, axes) if coordinates == "tf_crop_and_resize" else None
    n.skip(1)
    antialias = n.integer("antialias", 0) if n.opset >= 18 else 0
    return n.op(
        "resize", [x], sizes=sizes, scales=scales, roi=roi, coordinates=coordinates, antialias=antialias,
        mode=n.text("mode", "nearest"), nearest_mode=n.text("nearest_mode", "round_prefer_floor"),
        cubic_a=n.number("cubic_coeff_a", -0.75), exclude_outside=n.integer("exclude_outside", 0),
        extrapolation=n.number("extrapolation_value", 0.0),
    )  # fmt: skip


def region(n: Node, rank: int, axes: list[int]) -> list[float]:
    given = numbers(n, 1, "roi")
    if len(given) != 2 * len(axes):
        n.fail(f"roi: expected two numbers for each of axes {axes}, got {given}")
    roi = [0.0] * rank + [1.0] * rank
    for i, axis in enumerate(axes):
        roi[axis], roi[rank + axis] = given[i], given[len(axes) + i]
    return roi
