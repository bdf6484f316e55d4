"""Operators that move elements or make shapes, most of which are gone once the graph is built."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from pyconv.formats.onnx.node import Array, Builder, Built, Node
from pyconv.graph import Tensor


def axis_of(n: Node, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        n.fail(f"axis: expected one of {rank} dimensions, got {axis}")
    return axis % rank


def concat(n: Node) -> Built:
    parts = [n.x(i) for i in range(n.inputs)]
    axis = axis_of(n, n.integer("axis"), parts[0].ndim)
    if any(p.ndim != parts[0].ndim for p in parts):
        n.fail(f"expected inputs of as many dimensions each, got {[p.shape for p in parts]}")
    kept = [p for p in parts if p.shape[axis] != 0] or parts[:1]
    if len(kept) == 1:
        return n.op("identity", [kept[0]])
    return n.op("concat", kept, axis=axis)


def split(n: Node) -> Built:
    x = n.x()
    axis = axis_of(n, n.integer("axis", 0), x.ndim)
    sizes = n.ints_since(13, "split", 1, "split")
    count = n.integer("num_outputs", 0) if n.opset >= 18 else 0
    if sizes is None:
        count = count or n.outputs
        if not 1 <= count <= len(n.message.output):
            n.fail(f"num_outputs: expected 1 to {len(n.message.output)}, the node's outputs, got {count}")
        part = -(-x.shape[axis] // count) if n.opset >= 18 else x.shape[axis] // count
        sizes = [part] * (count - 1) + [x.shape[axis] - part * (count - 1)]
    if min(sizes) < 0 or sum(sizes) != x.shape[axis]:
        n.fail(f"split: expected sizes that make {x.shape[axis]}, got {sizes}")
    ends = np.cumsum(sizes).tolist()
    return [n.op("slice", [x], starts=[e - s], ends=[e], axes=[axis]) for s, e in zip(sizes, ends)]


def slice_(n: Node) -> Built:
    x = n.x()
    if n.opset < 10:
        starts, ends, axes, steps = n.integers("starts"), n.integers("ends"), n.integers("axes"), None
    else:
        starts, ends = n.constant_ints(1, "starts"), n.constant_ints(2, "ends")
        axes = n.constant_ints(3, "axes") if n.given(3) else None
        steps = n.constant_ints(4, "steps") if n.given(4) else None
    if starts is None or ends is None:
        n.fail("starts, ends: expected both")
    return n.op("slice", [x], starts=starts, ends=ends, axes=axes, steps=steps)


def gather(n: Node) -> Built:
    return n.op("gather", [n.x(0), n.x(1)], axis=n.integer("axis", 0))


def pad(n: Node) -> Built:
    x = n.x()
    mode = n.text("mode", "constant")
    value, axes = 0.0, list(range(x.ndim))
    if n.opset < 11:
        pads = n.integers("pads") or []
        value = n.number("value", 0.0)
    else:
        pads = n.constant_ints(1, "pads")
        if n.given(2):
            value = scalar(n, 2, "constant_value")
        if n.given(3):
            axes = [axis_of(n, a, x.ndim) for a in n.constant_ints(3, "axes")]
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        n.fail(f"pads: expected two for each of axes {axes}, got {pads}")
    full = [0] * (2 * x.ndim)
    for i, axis in enumerate(axes):
        full[axis], full[x.ndim + axis] = pads[i], pads[len(axes) + i]
    return n.op("pad", [x], pads=full, mode=mode, value=float(value))


def scalar(n: Node, i: int, what: str) -> float:
    array = n.constant(i, what)
    if array.size != 1:
        n.fail(f"{what}: expected one number, got shape {array.shape}")
    return float(array.reshape(()))


def reshape(n: Node) -> Built:
    x = n.x()
    shape = n.constant_ints(1, "shape")
    if not (n.integer("allowzero", 0) if n.opset >= 14 else 0):
        if any(s == 0 and i >= x.ndim for i, s in enumerate(shape)):
            n.fail(f"shape: expected a 0 only for axes of {x.shape}, got {shape}")
        shape = [x.shape[i] if s == 0 else s for i, s in enumerate(shape)]
    return n.reshaped(x, shape)


def flatten(n: Node) -> Built:
    x = n.x()
    axis = n.integer("axis", 1)
    if not -x.ndim <= axis <= x.ndim:
        n.fail(f"attribute 'axis': expected one of {x.shape}, got {axis}")
    axis = axis + x.ndim if axis < 0 else axis
    return n.reshaped(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def transpose(n: Node) -> Built:
    return n.op("transpose", [n.x()], axes=n.integers("perm"))


def squeeze(n: Node) -> Built:
    x = n.x()
    given = n.ints_since(13, "axes", 1, "axes")
    axes = [i for i, s in enumerate(x.shape) if s == 1] if given is None else [axis_of(n, a, x.ndim) for a in given]
    if any(x.shape[a] != 1 for a in axes):
        n.fail(f"axes: expected axes of size 1 of {x.shape}, got {given}")
    return n.reshaped(x, [s for i, s in enumerate(x.shape) if i not in axes])


def unsqueeze(n: Node) -> Built:
    x = n.x()
    given = n.ints_since(13, "axes", 1, "axes")
    if given is None:
        n.fail("axes: expected a list, got none")
    rank = x.ndim + len(given or [])
    axes = [axis_of(n, a, rank) for a in given or []]
    if len(set(axes)) != len(axes):
        n.fail(f"axes: expected each once, got {given}")
    rest = iter(x.shape)
    return n.reshaped(x, [1 if i in axes else next(rest) for i in range(rank)])


def expand(n: Node) -> Built:
    return n.op("expand", [n.x()], shape=n.constant_ints(1, "shape"))


def tile(n: Node) -> Built:
    return n.op("tile", [n.x()], repeats=n.constant_ints(1, "repeats"))


def depth_to_space(n: Node) -> Built:
    x, block = n.x(), n.integer("blocksize")
    mode = n.text("mode", "DCR") if n.opset >= 11 else "DCR"
    batch, channels, height, width = images(n, x)
    if block < 1 or channels % (block * block) or mode not in ("DCR", "CRD"):
        n.fail(f"blocksize, mode: expected a divisor of {channels} channels and DCR or CRD, got {block}, {mode}")
    depth = channels // (block * block)
    parts = (batch, block, block, depth, height, width)
    axes = [0, 3, 4, 1, 5, 2]
    if mode == "CRD":
        parts, axes = (batch, depth, block, block, height, width), [0, 1, 4, 2, 5, 3]
    turned = n.op("transpose", [n.reshaped(x, parts)], axes=axes)
    return n.reshaped(turned, (batch, depth, height * block, width * block))


def space_to_depth(n: Node) -> Built:
    x, block = n.x(), n.integer("blocksize")
    batch, channels, height, width = images(n, x)
    if block < 1 or height % block or width % block:
        n.fail(f"blocksize: expected a divisor of {height} and {width}, got {block}")
    mode = n.text("mode", "DCR") if n.opset >= 28 else "DCR"
    if mode not in ("DCR", "CRD"):
        n.fail(f"attribute 'mode': expected DCR or CRD, got '{mode}'")
    parts = (batch, channels, height // block, block, width // block, block)
    axes = [0, 3, 5, 1, 2, 4] if mode == "DCR" else [0, 1, 3, 5, 2, 4]
    turned = n.op("transpose", [n.reshaped(x, parts)], axes=axes)
    return n.reshaped(turned, (batch, channels * block * block, height // block, width // block))


def images(n: Node, x: Tensor) -> tuple[int, ...]:
    if x.ndim != 4:
        n.fail(f"expected images (N, C, H, W), got shape {x.shape}")
    return tuple(x.shape)


def shape(n: Node) -> Built:
    x = n.x()
    end = n.integer("end", x.ndim) if n.opset >= 15 else x.ndim
    return np.array(x.shape[n.integer("start", 0) if n.opset >= 15 else 0 : end], np.int64)


def size(n: Node) -> Built:
    return np.array(prod(n.x().shape), np.int64)


def constant(n: Node) -> Built:
    kinds: dict[str, Any] = {
        "value": n.tensor,
        "value_float": lambda k: np.array(n.number(k, 0.0), np.float32),
        "value_floats": lambda k: np.array(n.numbers(k), np.float32),
        "value_int": lambda k: np.array(n.integer(k), np.int64),
        "value_ints": lambda k: np.array(n.integers(k), np.int64),
    }
    given = [kind for kind in kinds if n.has(kind)]
    if len(given) != 1:
        n.fail("expected a constant tensor or numbers")
    array: Array = kinds[given[0]](given[0])
    return array


def constant_of_shape(n: Node) -> Built:
    value = n.tensor("value")
    value = np.zeros(1, np.float32) if value is None else value
    if value.size != 1:
        n.fail(f"attribute 'value': expected one number, got shape {value.shape}")
    return n.full(n.constant_ints(0, "shape"), value.reshape(()), value.dtype)


def range_(n: Node) -> Built:
    start, limit, delta = (n.constant(i, what) for i, what in enumerate(("start", "limit", "delta")))
    if start.size != 1 or limit.size != 1 or delta.size != 1 or float(delta.reshape(())) == 0.0:
        n.fail("start, limit, delta: expected numbers, delta not 0")
    if start.dtype.kind == "i":
        first, last, step = (int(v.reshape(())) for v in (start, limit, delta))
        count = max(0, -((first - last) // step))
    else:
        first, last, step = (float(v.reshape(())) for v in (start, limit, delta))  # type: ignore[assignment]
        wanted = np.ceil((last - first) / step)
        count = int(wanted) if 0 < wanted < 2**40 else 0
        if not np.isfinite(wanted):
            n.fail("start, limit, delta: expected finite numbers")
    n.claim((count,), start.dtype)
    steps = np.arange(count).astype(start.dtype) * delta.reshape(())
    return np.asarray(start.reshape(()) + steps, start.dtype)


BUILDERS: dict[str, Builder] = {
    "Concat": concat,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "DepthToSpace": depth_to_space,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Pad": pad,
    "Range": range_,
    "Reshape": reshape,
    "Shape": shape,
    "Size": size,
    "Slice": slice_,
    "SpaceToDepth": space_to_depth,
    "Split": split,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
