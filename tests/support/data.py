"""Real data and real weights, which are no part of the tree: tests that want them skip without."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared(*parts):
    """A path below the data folder: $PYCONV_DATA, or ../shared/data beside the project."""
    folder = Path(os.environ.get("PYCONV_DATA") or ROOT.parent / "shared" / "data")
    path = folder.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not here (PYCONV_DATA names the data folder)")
    return path


def mnist_test():
    """(10000, 28, 28) uint8 and (10000,) labels."""
    images = gzip.decompress(shared("mnist", "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress(shared("mnist", "t10k-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(
        labels, np.uint8, offset=8
    )


def cifar10_test():
    """(10000, 32, 32, 3) uint8 RGB and (10000,) labels."""
    with np.load(shared("cifar10", "cifar10_test.npz")) as data:
        return data["x"], data["y"].reshape(-1).astype(np.int64)
