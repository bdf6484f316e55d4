"""Pictures in: the usual recipes of resizing, cropping and scaling, as data that can be printed.

A recipe turns a picture into what a network was trained on. Files, and pictures of another size than
the recipe's, need Pillow (``pip install 'pyconv-engine[images]'``); arrays of the right size do not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Picture: TypeAlias = "str | os.PathLike[str] | Bytes | Image"

_ORDERS = {"RGB": 3, "BGR": 3, "L": 1}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
_LAYOUTS = ("nchw", "nhwc")


def _pillow() -> Any:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ImportError(
            "reading or resizing a picture needs Pillow: pip install 'pyconv-engine[images]'"
        ) from error
    return Image, ImageOps


@dataclass(frozen=True)
class Recipe:
    """From a picture to the input of a network.

    The picture's shorter side is brought to ``resize_shorter``, the longer one in proportion (rounded to
    the nearest pixel), with the antialiased filter of Pillow; the centre ``crop`` x ``crop`` is kept, an
    odd pixel going at the lower right; each value v of 0..255 becomes ``(v * scale - mean) / std`` of its
    channel, computed in float64 and rounded once.

    Args:
        resize_shorter: pixels; None keeps the picture's size.
        crop: pixels, at most ``resize_shorter``; None keeps all of it.
        scale: factor of the values before mean and std.
        mean, std: one number per channel, in ``channel_order``.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"`` or ``"lanczos"``.
        channel_order: ``"RGB"``, ``"BGR"`` or ``"L"``, one channel of grey.
        layout: of the result, ``"nchw"`` or ``"nhwc"``.

    Raises:
        ValueError: a value other than these.

    >>> import numpy as np
    >>> from pyconv import preprocess
    >>> preprocess.tf_inception(np.full((256, 256, 3), 255, np.uint8))[0, :, 0, 0]
    array([1., 1., 1.], dtype=float32)
    """

    resize_shorter: int | None = 256
    crop: int | None = 224
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"
    channel_order: str = "RGB"
    layout: str = "nchw"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("interpolation", self.interpolation, _INTERPOLATIONS),
            ("channel_order", self.channel_order, tuple(_ORDERS)),
            ("layout", self.layout, _LAYOUTS),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        for name, size in (("resize_shorter", self.resize_shorter), ("crop", self.crop)):
            if size is not None and size < 1:
                raise ValueError(f"{name}: expected 1 pixel or more, got {size}")
        if self.crop and self.resize_shorter and self.crop > self.resize_shorter:
            raise ValueError(f"crop: expected at most resize_shorter={self.resize_shorter}, got {self.crop}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ValueError(
                    f"{name}: expected {self.channels} numbers for {self.channel_order}, got {values}"
                )
        if not np.isfinite([self.scale, *self.mean, *self.std]).all() or 0 in self.std:
            raise ValueError(f"scale, mean, std: expected finite numbers, std not 0, got {self}")

    @property
    def channels(self) -> int:
        return _ORDERS[self.channel_order]

    def affine(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Multiplier and offset per channel: the input is ``value * multiplier + offset``."""
        mean, std = np.array(self.mean), np.array(self.std)
        return self.scale / std, -mean / std

    def table(self) -> Floats:
        """What each byte becomes in each channel: float32 (C, 256)."""
        values = np.arange(256) * self.scale
        mean, std = np.array(self.mean)[:, None], np.array(self.std)[:, None]
        return np.ascontiguousarray(((values - mean) / std).astype(np.float32))

    def __call__(self, picture: Picture) -> Floats:
        """The network's input: float32 (1, C, H, W), or (1, H, W, C) for ``layout="nhwc"``.

        Args:
            picture: a path, uint8 (H, W, 3) in RGB or (H, W), or a Pillow image.

        Raises:
            TypeError, ValueError: an array of another type or shape, or smaller than the crop.
            ImportError: Pillow is needed and missing.
            OSError: the file cannot be read or is no picture.
        """
        return self.normalized(self.uint8(picture)[None])

    def uint8(self, picture: Picture) -> Bytes:
        """The picture resized and cropped, as it would be shown: uint8 (H, W, C) in ``channel_order``.

        Arguments and errors as for a call.
        """
        pixels = self._resized(picture)
        height, width = pixels.shape[:2]
        if self.crop is not None:
            if self.crop > min(height, width):
                raise ValueError(f"picture: expected at least {self.crop} pixels, got {height} x {width}")
            top, left = (height - self.crop) // 2, (width - self.crop) // 2
            pixels = pixels[top : top + self.crop, left : left + self.crop]
        if self.channel_order == "BGR":
            pixels = pixels[..., ::-1]
        return np.ascontiguousarray(pixels)

    def normalized(self, pictures: Bytes) -> Floats:
        """Scaling and layout alone: uint8 (N, H, W, C), as `uint8` gives them, to the network's input.

        Raises:
            TypeError, ValueError: an array of another type or shape.
        """
        if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8:
            raise TypeError(f"pictures: expected a numpy array of uint8, got {_kind(pictures)}")
        if pictures.ndim != 4 or pictures.shape[3] != self.channels:
            raise ValueError(f"pictures: expected shape (N, H, W, {self.channels}), got {pictures.shape}")
        table = self.table()
        count, height, width, channels = pictures.shape
        planes = np.empty((count, channels, height, width), np.float32)
        for c in range(channels):
            planes[:, c] = table[c][pictures[..., c]]
        return planes if self.layout == "nchw" else np.ascontiguousarray(planes.transpose(0, 2, 3, 1))

    def _resized(self, picture: Picture) -> Bytes:
        """(H, W, C) in RGB or grey."""
        if isinstance(picture, np.ndarray):
            pixels = self._checked(picture)
            if self.resize_shorter in (None, min(pixels.shape[:2])):
                return pixels
            image, _ = _pillow()
            return self._scaled(image.fromarray(pixels.squeeze(2) if self.channels == 1 else pixels))
        image, operations = _pillow()
        if isinstance(picture, image.Image):
            return self._scaled(picture)
        if not isinstance(picture, (str, os.PathLike)):
            raise TypeError(f"picture: expected a path, an array or a Pillow image, got {_kind(picture)}")
        with image.open(Path(picture)) as opened:
            return self._scaled(operations.exif_transpose(opened))

    def _checked(self, picture: Bytes) -> Bytes:
        if picture.dtype != np.uint8:
            raise TypeError(f"picture: expected uint8, got {picture.dtype}")
        if picture.ndim == 2 and self.channels == 1:
            picture = picture[..., None]
        if picture.ndim != 3 or picture.shape[2] != self.channels or 0 in picture.shape:
            channels = "3) in RGB" if self.channels == 3 else "1)"
            raise ValueError(f"picture: expected shape (H, W, {channels}, got {picture.shape}")
        return picture

    def _scaled(self, image: Image) -> Bytes:
        image = image.convert("L" if self.channels == 1 else "RGB")
        shorter = self.resize_shorter
        if shorter is not None and shorter != min(image.size):
            width, height = image.size
            scale = shorter / min(image.size)
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            resampling = getattr(_pillow()[0].Resampling, self.interpolation.upper())
            image = image.resize(size, resampling)
        return np.asarray(image, np.uint8).reshape(image.height, image.width, self.channels)


def _kind(value: object) -> str:
    return f"{value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


imagenet = Recipe()
tf_inception = Recipe(scale=1.0, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))
cifar10 = Recipe(resize_shorter=32, crop=32)
mnist = Recipe(resize_shorter=28, crop=28, mean=(0.1307,), std=(0.3081,), channel_order="L")

_RECIPES = {"imagenet": imagenet, "tf_inception": tf_inception, "cifar10": cifar10, "mnist": mnist}


def names() -> list[str]:
    """The recipes that have a name.

    >>> from pyconv import preprocess
    >>> preprocess.names()
    ['imagenet', 'tf_inception', 'cifar10', 'mnist']
    """
    return list(_RECIPES)


def recipe(name: str) -> Recipe:
    """A recipe by name.

    Args:
        name: ``"imagenet"``, torchvision's for most of its networks; ``"tf_inception"``, that of the
            original MobileNets, to -1..1; ``"cifar10"``, with ImageNet's mean and std; ``"mnist"``.

    Raises:
        ValueError: no such name.

    >>> from pyconv import preprocess
    >>> preprocess.recipe("mnist").mean
    (0.1307,)
    """
    if name not in _RECIPES:
        raise ValueError(f"name: expected one of {', '.join(_RECIPES)}, got {name!r}")
    return _RECIPES[name]
