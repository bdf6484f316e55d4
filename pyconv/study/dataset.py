"""Labelled pictures from files: the formats that MNIST and CIFAR-10 come in."""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = "digits"
"""In place of a path: the thirty digits that come with the package."""
_KEYS = (("x", "y"), ("images", "labels"), ("x_test", "y_test"))


@dataclass(frozen=True)
class Dataset:
    """``images`` (N, H, W, C) uint8, ``labels`` (N,)."""

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int) -> Dataset:
        return Dataset(self.name, self.images[start:stop], self.labels[start:stop])


def load(source: str | Path) -> Dataset:
    """An npz file with x and y (or images and labels), an IDX file of images with that of its labels beside it, a
    folder with MNIST's test set, or "digits".

    >>> load("digits").images.shape
    (30, 28, 28, 1)
    """
    path = Path(source)
    if str(source) == DIGITS and not path.exists():
        from pyconv.zoo.lenet import sample_digits

        return _checked(DIGITS, *sample_digits())
    if path.is_dir():
        found = sorted([*path.glob("t10k-images*"), *path.glob("*test*.npz")])
        if len(found) != 1:
            raise ValueError(f"data: expected t10k-images-idx3-ubyte.gz or one *test*.npz in {path}")
        path = found[0]
    if not path.exists():
        raise ValueError(f"data: expected a file, a folder or {DIGITS!r}, got {str(source)!r}")
    if path.suffix == ".npz":
        return _checked(path.name, *_from_npz(path))
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels == path or not labels.exists():
        raise ValueError(f"data: expected an npz file, or images-idx3 with labels-idx1 beside it, got {path}")
    return _checked(path.name, _from_idx(path), _from_idx(labels))


def _from_npz(path: Path) -> tuple[Any, Any]:
    from pyconv.formats import load_npz

    arrays = load_npz(path)
    for images, labels in _KEYS:
        if images in arrays and labels in arrays:
            return arrays[images], arrays[labels]
    raise ValueError(f"data: expected arrays x and y, or images and labels, in {path}, got {sorted(arrays)}")


def _from_idx(path: Path) -> NDArray[np.uint8]:
    """LeCun's format: two zeros, 8 for bytes, the number of axes, their sizes, the bytes."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError) as error:
        raise ValueError(f"data: {path}: {error}") from None
    rank = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    head = 4 + 4 * rank
    if not rank or len(content) < head:
        raise ValueError(f"data: expected an IDX file of bytes, got {path}")
    sizes = struct.unpack(f">{rank}I", content[4:head])
    if int(np.prod(sizes, dtype=object)) != len(content) - head:
        raise ValueError(f"data: expected {sizes} bytes in {path}, got {len(content) - head}")
    return np.frombuffer(content, np.uint8, offset=head).reshape(sizes)


def _checked(name: str, images: Any, labels: Any) -> Dataset:
    x, y = np.asarray(images), np.asarray(labels).reshape(-1)
    x = x[..., None] if x.ndim == 3 else x
    if x.dtype != np.uint8 or x.ndim != 4 or not len(x):
        raise ValueError(f"data: expected uint8 images (N, H, W, C), got {x.dtype} {x.shape} in {name}")
    if len(y) != len(x) or y.dtype.kind not in "iu":
        raise ValueError(f"data: expected {len(x)} integer labels, got {y.dtype} {y.shape} in {name}")
    return Dataset(name, x, y.astype(np.int64))
