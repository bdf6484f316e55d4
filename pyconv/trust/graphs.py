"""Random small networks, of the parts that networks are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from pyconv.graph import GraphBuilder, Tensor
from pyconv.nn import functional as F
from pyconv.trust.activations import ROWS
from pyconv.trust.values import Draw, Floats

CHANNELS = (1, 2, 3, 4, 6, 8, 12, 15, 16, 17, 24, 31, 32, 33, 40)
LARGEST = 30_000
"""Numbers in a tensor."""


class Maker:
    """Records a graph; the same draws give the same graph, for any number of images."""

    def __init__(self, draw: Draw, images: int) -> None:
        self.draw, self.builder = draw, GraphBuilder()
        channels = draw.pick(CHANNELS)
        side = draw.pick((1, 3, 6, 7, 8, 11, 14, 17, 28))
        self.wide = draw.chance(25)  # where passes expect to gain, and threads
        if self.wide:
            channels, side = draw.pick((8, 16, 24)), draw.between(56, 80)
        self.x = self.builder.input("x", (images, channels, side, max(1, side + draw.between(-2, 2))))
        self.made = [self.x]

    def make(self) -> GraphBuilder:
        """The whole graph: some parts one after the other, then outputs."""
        x = self.x
        for _ in range(self.draw.between(1, 2) if self.wide else self.draw.between(2, 7)):
            # Sometimes from an older tensor, so that there are branches.
            source = self.draw.pick(self.made) if self.draw.chance(6) else x
            x = self.draw.pick(WIDE if self.wide else PARTS)(self, source)
            self.made.append(x)
        outputs = [x]
        if self.draw.chance(3):
            outputs.append(self.draw.pick(self.made[1:]))
        if self.draw.chance(4):
            outputs.append(self._head(x))
        distinct = {tensor.id: tensor for tensor in outputs if tensor.id != self.x.id}
        self.builder.outputs(list(distinct.values()) or [F.relu(x)])
        return self.builder

    def weights(self, *shape: int) -> Floats:
        """Scaled, by a power of two, so that values stay about as large as they are."""
        terms = math.prod(shape[1:])
        return np.ldexp(self.draw.reals(*shape), -2 - math.frexp(math.sqrt(terms))[1]).astype(np.float32)

    def numbers(self, count: int) -> Floats:
        return np.ldexp(self.draw.reals(count), -3).astype(np.float32)

    def conv(self, x: Tensor, channels: int, kernel: int, stride: int = 1, **more: Any) -> Tensor:
        groups = more.pop("groups", 1)
        bias = None if self.draw.chance(3) else self.numbers(channels)
        weight = self.weights(channels, x.shape[1] // groups, kernel, kernel)
        more.setdefault("padding", kernel // 2)
        return F.conv2d(x, weight, bias, stride, groups=groups, **more)

    def norm(self, x: Tensor) -> Tensor:
        """A batch norm, mostly."""
        if self.draw.chance(3):
            return x
        c = x.shape[1]
        variance = np.abs(self.draw.reals(c)) + np.float32(0.25)
        gamma = None if self.draw.chance(8) else self.draw.reals(c)
        return F.batch_norm(x, self.numbers(c), variance, gamma, self.numbers(c))

    def act(self, x: Tensor) -> Tensor:
        """An activation, mostly."""
        if self.draw.chance(4):
            return x
        name = self.draw.pick(("relu", "relu", "relu6", "silu", "hard_swish", *ROWS))
        if name == "leaky_relu":
            return F.leaky_relu(x, 0.01)
        return self.builder.node(name, [x])

    def _head(self, x: Tensor) -> Tensor:
        pooled = self.builder.node("global_avg_pool", [x]) if self.draw.chance(2) else x
        flat = pooled.reshape(pooled.shape[0], math.prod(pooled.shape[1:]))
        classes = self.draw.pick((1, 5, 10, 33))
        y = F.linear(flat, self.weights(classes, flat.shape[1]), self.numbers(classes))
        return F.softmax(y, 1) if self.draw.chance(2) else y


def _conv(m: Maker, x: Tensor) -> Tensor:
    kernel = m.draw.pick((1, 1, 2, 3, 3, 3, 5))
    stride = m.draw.pick((1, 1, 1, 2))
    y = m.conv(x, m.draw.pick(CHANNELS), kernel, stride, padding=kernel // 2)
    return m.act(m.norm(y))


def _depthwise(m: Maker, x: Tensor) -> Tensor:
    c, kernel = x.shape[1], m.draw.pick((3, 3, 5, 7))
    y = m.act(m.norm(m.conv(x, c, kernel, m.draw.pick((1, 1, 2)), groups=c)))
    return m.act(m.norm(m.conv(y, m.draw.pick(CHANNELS), 1)))


def _grouped(m: Maker, x: Tensor) -> Tensor:
    groups = m.draw.pick([g for g in (1, 2, 3, 4, 8) if x.shape[1] % g == 0])
    return m.act(m.norm(m.conv(x, groups * m.draw.between(1, 8), 3, groups=groups)))


def _inverted_residual(m: Maker, x: Tensor) -> Tensor:
    c, kernel, stride = x.shape[1], m.draw.pick((3, 3, 5)), m.draw.pick((1, 1, 2))
    wide = c * m.draw.pick((2, 3, 6))
    y = m.act(m.norm(m.conv(x, wide, 1)))
    y = m.act(m.norm(m.conv(y, wide, kernel, stride, groups=wide)))
    if m.draw.chance(3):
        y = _gated(m, y)
    y = m.norm(m.conv(y, c, 1))
    return x + y if y.shape == x.shape else y


def _gated(m: Maker, x: Tensor) -> Tensor:
    """Squeeze and excitation."""
    c = x.shape[1]
    gate = m.act(m.conv(m.builder.node("global_avg_pool", [x]), max(1, c // 4), 1))
    gate = m.builder.node(m.draw.pick(("sigmoid", "hard_sigmoid")), [m.conv(gate, c, 1)])
    scaled: Tensor = gate * x if m.draw.chance(3) else x * gate
    return scaled


def _scaled(m: Maker, x: Tensor) -> Tensor:
    return m.act(m.norm(m.conv(_gated(m, x), m.draw.pick(CHANNELS), 1)))


def _dense(m: Maker, x: Tensor) -> Tensor:
    """A layer of DenseNet: what it makes stands beside what it read."""
    y = m.norm(x)
    y = y if m.draw.chance(4) else F.relu(y)
    y = m.act(m.norm(m.conv(y, m.draw.pick(CHANNELS), 1)))
    return F.concat([x, m.conv(y, m.draw.pick(CHANNELS[:9]), 3)], 1)


def _residual(m: Maker, x: Tensor) -> Tensor:
    y = m.norm(m.conv(x, x.shape[1], m.draw.pick((1, 3))))
    others = [t for t in m.made if t.shape == x.shape]
    other = m.draw.pick(others) if others else x
    total: Tensor = other + y if m.draw.chance(2) else y + other
    return m.act(total)


def _branches(m: Maker, x: Tensor) -> Tensor:
    """Concatenated: convolutions, a pool, and x itself."""
    parts = [
        m.act(m.conv(x, m.draw.pick(CHANNELS[:9]), m.draw.pick((1, 3)))) for _ in range(m.draw.between(1, 3))
    ]
    if m.draw.chance(2) and min(x.shape[2:]) > 1:
        parts.append(F.max_pool2d(x, 3, 1, 1) if m.draw.chance(2) else F.avg_pool2d(x, 3, 1, 1))
    if m.draw.chance(2):
        parts.append(x)
    return m.norm(F.cat(parts, 1))


def _pool(m: Maker, x: Tensor) -> Tensor:
    kernel, stride = m.draw.pick((2, 3)), m.draw.pick((1, 2))
    if min(x.shape[2:]) < kernel:
        return m.builder.node(m.draw.pick(("global_avg_pool", "global_max_pool")), [x])
    padding = m.draw.pick((0, 1)) if kernel == 3 else 0
    ceil = m.draw.chance(3)
    if m.draw.chance(2):
        return F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil)
    return F.avg_pool2d(x, kernel, stride, padding, ceil)


def _alone(m: Maker, x: Tensor) -> Tensor:
    """An activation or a batch norm behind no convolution, a constant added or multiplied."""
    constant = m.numbers(x.shape[1])[:, None, None]
    choices: tuple[Callable[[], Tensor], ...] = (
        lambda: m.act(x), lambda: m.norm(x), lambda: x + constant, lambda: x * constant,
        lambda: F.local_response_norm(x, m.draw.pick((3, 5)), 0.1, m.draw.pick((0.75, 0.5)), 1.0),
    )  # fmt: skip
    return m.draw.pick(choices)()


def _shuffle(m: Maker, x: Tensor) -> Tensor:
    """Channels of groups taken in turn; a half goes its own way."""
    n, c, h, w = x.shape
    if c % 2:
        return m.conv(x, 2 * m.draw.between(1, 8), 1)
    y = x.reshape(n, 2, c // 2, h, w).permute(0, 2, 1, 3, 4).reshape(n, c, h, w)
    first, second = y.chunk(2, 1)
    return F.cat([first, m.act(m.conv(second, c // 2, m.draw.pick((1, 3))))], 1)


def _padded(m: Maker, x: Tensor) -> Tensor:
    """Zeros around the image, which a convolution can take in, or something else, which it can't."""
    sides = [m.draw.between(0, 2) for _ in range(4)]
    pads = [0, 0, sides[0], sides[1], 0, 0, sides[2], sides[3]]
    value = 0.0 if m.draw.chance(2) else 1.0
    y = m.builder.node("pad", [x], pads=pads, mode="constant", value=value)
    kernel = 3 if min(y.shape[2:]) >= 3 else 1
    return m.act(m.conv(y, m.draw.pick(CHANNELS), kernel, padding=m.draw.pick((0, 1))))


def _enlarged(m: Maker, x: Tensor) -> Tensor:
    if x.shape[1] * x.shape[2] * x.shape[3] > LARGEST // 8:
        return m.conv(x, m.draw.pick(CHANNELS), 3, 2)
    if m.draw.chance(2):
        n, c, h, w = x.shape
        rule: Any = {"mode": "nearest", "coordinates": "asymmetric", "nearest_mode": "floor"}
        return m.builder.node("resize", [x], sizes=[n, c, 2 * h, 2 * w], **rule)
    channels, kernel = m.draw.pick(CHANNELS[:9]), m.draw.pick((2, 3, 4))
    weight = np.ldexp(m.weights(channels, x.shape[1], kernel, kernel), 1).astype(np.float32)
    swapped = np.ascontiguousarray(weight.transpose(1, 0, 2, 3))
    padding = m.draw.pick((0, 1)) if min(x.shape[2:]) > 1 else 0
    return m.act(F.conv_transpose2d(x, swapped, m.numbers(channels), 2, padding))


PARTS = (
    _conv, _conv, _conv, _depthwise, _grouped, _inverted_residual, _inverted_residual, _scaled, _dense,
    _residual, _residual, _branches, _branches, _pool, _alone, _shuffle, _padded, _enlarged,
)  # fmt: skip
WIDE = (_inverted_residual, _inverted_residual, _scaled, _dense, _depthwise, _conv)


def drawn_graph(seed: int, index: int, images: int) -> GraphBuilder:
    """Graph `index` of `seed`."""
    return Maker(Draw("graphs", seed, index), images).make()


def dump(builder: GraphBuilder) -> str:
    """The nodes, a line each."""
    graph = builder.graph
    lines = []
    for node in graph.nodes():
        inputs = ", ".join(f"{graph.value(i)[2]}" if i >= 0 else "-" for i in node["inputs"])
        ids = ", ".join(str(i) for i in node["inputs"])
        attributes = ", ".join(f"{name}={value}" for name, value in node["attributes"].items() if value)
        lines.append(f"{node['outputs'][0]} = {node['op']}({ids}; {inputs}; {attributes})")
    return "\n".join([*lines, f"outputs {list(graph.outputs)}"])
