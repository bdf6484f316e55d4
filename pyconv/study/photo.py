"""A photograph as the input of a layer: what a network's second convolution would see."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
_FILTER = 7
_GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2


def load(path: Path | None = None) -> Image.Image:
    """The picture at `path`, or the astronaut that comes with the package (NASA; see NOTICE)."""
    kept = path or resources.files("pyconv") / "data" / "astronaut.jpg"
    with kept.open("rb") as file, Image.open(file) as picture:
        rgb: Image.Image = picture.convert("RGB")
    return rgb


def pixels(picture: Image.Image, height: int, width: int) -> Array:
    """The picture's largest centred part of that shape, resized: (1, height, width, 3), mean 0."""
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    small = picture.resize((width, height), Image.Resampling.LANCZOS, box=box)
    image = np.asarray(small, np.float32)[None] / np.float32(255)
    centred: Array = np.ascontiguousarray(image - image.mean(axis=(0, 1, 2)), np.float32)
    return centred


def filters(channels: int) -> Array:
    """Fixed first-layer filters (channels, 3, 7, 7): Gabor patches of many orientations, two
    wavelengths, both phases, each on its own mix of colours. Norm 1."""
    index = np.arange(channels)[:, None, None]
    y, x = np.mgrid[:_FILTER, :_FILTER] - _FILTER // 2
    angle = index * _GOLDEN_ANGLE
    along = x * np.cos(angle) + y * np.sin(angle)
    wavelength = np.where(index % 2, 3.0, 6.0)
    phase = np.where(index // 2 % 2, 0.0, np.pi / 2)
    patch = np.cos(2 * np.pi * along / wavelength + phase) * np.exp(-(x**2 + y**2) / 8.0)
    patch -= patch.mean(axis=(1, 2), keepdims=True)
    hue = np.arange(channels)[:, None] * 2.4 + np.arange(3) * 2 * np.pi / 3
    colour = 1 + np.cos(hue)
    bank = patch[:, None] * colour[:, :, None, None]
    unit: Array = (bank / np.sqrt((bank**2).sum(axis=(1, 2, 3), keepdims=True))).astype(np.float32)
    return unit


def features(picture: Image.Image, height: int, width: int, channels: int) -> Array:
    """The picture at twice the size through `filters`, stride 2 and ReLU: (1, height, width, channels),
    scaled to a root mean square of 1."""
    import pyconv

    image = pixels(picture, 2 * height, 2 * width)
    weight = filters(channels)
    seen: Array = pyconv.conv2d(
        image, weight, stride=2, padding=_FILTER // 2, layout="nhwc", activation="relu"
    )
    seen = seen[:, :height, :width]
    rms = np.sqrt(np.mean(np.square(seen, dtype=np.float64)))
    return np.ascontiguousarray(seen / max(rms, 1e-12), np.float32)
