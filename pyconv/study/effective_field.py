"""Which pixels an output sees, and how much each of them counts, by measurement.

The gradient of one output with respect to the input says how much each pixel moves it. Its size, over channels
of the output, of the input, and over pictures (root of the mean square), is the effective receptive field: far
smaller than the theoretical one, and nearly a Gaussian (Luo, Li, Urtasun, Zemel, arXiv:1701.04128).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyconv import _core
from pyconv.receptive_field import receptive_fields
from pyconv.study.adjoint import input_gradients
from pyconv.study.rewrite import plain

Map = NDArray[np.float64]
MASS = 0.95
_PIXELS_WITHOUT_TAIL = 0.0455
"""Of the largest: what lies two standard deviations from the middle of a Gaussian's mass, as Luo et al. cut."""


@dataclass(frozen=True)
class Box:
    """Pixels of the input."""

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class EffectiveField:
    """What the output in the middle of a layer sees.

    ``map`` (H, W) is how much each pixel counts, its sum 1. ``theory`` is the receptive field by the sizes of
    kernels, which may be larger than the picture; ``reach`` what of the picture can matter at all; ``box`` the
    smallest box around the middle of mass, in the proportions of the picture's axes, with 95 % of the mass;
    ``area`` the number of pixels that count at least 4.55 % of what the most important one does.
    """

    layer: str
    shape: tuple[int, ...]
    theory: tuple[float, float]
    reach: Box
    box: Box
    area: int
    sigma: tuple[float, float]
    map: Map

    @property
    def share(self) -> float:
        """Of the reach's pixels those in the box."""
        return self.box.height * self.box.width / (self.reach.height * self.reach.width)

    @property
    def sentence(self) -> str:
        """The finding in words."""
        th, tw = (f"{side:g}" for side in self.theory)
        within = ""
        if (self.reach.height, self.reach.width) != self.theory:
            within = f", {self.reach.height}x{self.reach.width} of which lie in the picture"
        return (
            f"{self.layer} sees {th}x{tw} pixels{within}; 95 % of what moves it lies within "
            f"{self.box.height}x{self.box.width}, {100 * self.share:.0f} % of them."
        )

    def as_dict(self) -> dict[str, object]:
        plain = {k: v for k, v in vars(self).items() if k != "map"}
        return {
            **plain,
            "shape": list(self.shape),
            "theory": list(self.theory),
            "sigma": list(self.sigma),
            "reach": vars(self.reach),
            "box": vars(self.box),
            "share": self.share,
            "sentence": self.sentence,
        }


def layers(graph: _core.Graph) -> dict[str, int]:
    """The values that have a picture's axes and a receptive field, by the names of the nodes that make them."""
    fields = receptive_fields(graph)
    found = {}
    for node in graph.nodes():
        (id, *_) = node["outputs"]
        field = fields.get(id)
        if field is not None and len(graph.value(id)[2]) == 4 and field.axes == (2, 3) and all(field.jump):
            found[node["name"]] = id
    return found


def effective_field(
    net: Any,
    input_shape: Any = None,
    *,
    layer: str | None = None,
    pictures: NDArray[np.float32] | None = None,
    samples: int = 4,
    probes: int = 32,
) -> EffectiveField:
    """How much each pixel of the input counts for the output in the middle of a layer.

    Args:
        net, input_shape: what `pyconv.compile` takes, of batch 1.
        layer: the name of a layer; None: the last whose output still has rows and columns.
        pictures: inputs to take gradients at, (N, C, H, W); None: `samples` of normal noise.
        probes: of a layer with more channels, so many random combinations of them stand for all.

    >>> from pyconv import nn
    >>> three = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(3)))
    >>> found = effective_field(three, (1, 1, 15, 15))
    >>> found.theory, found.reach.height, found.area <= 49
    ((7.0, 7.0), 7, True)
    """
    graph = plain(net, input_shape)
    shape = tuple(graph.value(graph.inputs[0])[2])
    if len(graph.inputs) != 1 or len(shape) != 4 or shape[0] != 1:
        raise ValueError(f"network: expected one input of shape (1, C, H, W), got {shape}")
    known = layers(graph)
    if not known:
        raise ValueError("network: expected a layer whose output has rows and columns")
    name = layer if layer is not None else list(known)[-1]
    if name not in known:
        raise ValueError(f"layer: expected one of {', '.join(known)}, got {layer!r}")
    given = _pictures(pictures, shape, samples)
    target = known[name]
    made = tuple(graph.value(target)[2])
    directions = _directions(made, probes)
    square = np.zeros(shape[2:])
    for picture in given:
        g = input_gradients(graph, target, directions, picture[None]).astype(np.float64)
        square += (g**2).sum(axis=(0, 1))
    whole = input_gradients(graph, target, _middle(made, np.ones((1, made[1]))), None, reach=True)
    total = np.sqrt(square)
    if not total.any():
        raise ValueError(f"layer: no pixel moves the middle of {name} on these inputs")
    size = receptive_fields(graph)[target].size
    return _measured(name, made, (float(size[0]), float(size[1])), whole.sum(axis=(0, 1)) > 0, total)


def _pictures(given: Any, shape: Sequence[int], samples: int) -> Any:
    if given is None:
        if samples < 1:
            raise ValueError(f"samples: expected 1 or more, got {samples}")
        return np.random.default_rng(0).standard_normal((samples, *shape[1:])).astype(np.float32)
    if np.ndim(given) != 4 or np.shape(given)[1:] != tuple(shape[1:]) or not len(given):
        raise ValueError(
            f"pictures: expected shape (N, {', '.join(map(str, shape[1:]))}), got {np.shape(given)}"
        )
    return np.asarray(given, np.float32)


def _directions(shape: Sequence[int], probes: int) -> Any:
    """Each channel by itself, or random signs: the mean square of their sums is the sum of the squares."""
    channels = shape[1]
    if probes < 1:
        raise ValueError(f"probes: expected 1 or more, got {probes}")
    if channels <= probes:
        return _middle(shape, np.eye(channels))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (probes, channels)) / np.sqrt(probes)
    return _middle(shape, signs)


def _middle(shape: Sequence[int], weights: Any) -> Any:
    """(N, C, H, W): these weights of channels at the pixel in the middle, zero elsewhere."""
    made = np.zeros((len(weights), *shape[1:]), np.float32)
    made[:, :, shape[2] // 2, shape[3] // 2] = weights
    return made


def _measured(
    name: str, shape: tuple[int, ...], theory: tuple[float, float], reach: Any, total: Map
) -> EffectiveField:
    mass = total / total.sum()
    rows, columns = mass.sum(axis=1), mass.sum(axis=0)
    middle = [float((np.arange(len(side)) * side).sum()) for side in (rows, columns)]
    sigma = [
        float(np.sqrt((side * (np.arange(len(side)) - m) ** 2).sum()))
        for side, m in zip((rows, columns), middle)
    ]
    area = int((total >= _PIXELS_WITHOUT_TAIL * total.max()).sum())
    box = _box(mass, middle)
    return EffectiveField(name, shape, theory, _bounds(reach), box, area, (sigma[0], sigma[1]), mass)


def _bounds(seen: Any) -> Box:
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return Box(int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1))


def _box(mass: Map, middle: Sequence[float]) -> Box:
    """The smallest box with `MASS`, grown by one pixel to every side that the picture has left."""
    height, width = mass.shape
    y, x = round(middle[0]), round(middle[1])
    for reach in range(max(height, width)):
        top, left = max(0, y - reach), max(0, x - reach)
        bottom, right = min(height, y + reach + 1), min(width, x + reach + 1)
        if mass[top:bottom, left:right].sum() >= MASS:
            break
    return Box(top, left, bottom - top, right - left)
